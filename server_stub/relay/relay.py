"""The relay: two SMTP listeners that take mail over TLS with a login, and keep it.

`smtps` speaks TLS from the first byte (RFC 8314), `smtp` demands STARTTLS before anything else (RFC 3207). Both offer
AUTH PLAIN and LOGIN inside TLS only, and want a login before MAIL. Each
connection becomes a conversation of its own. All run in one event loop, and misbehave as the rules say.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.relay.connection import ConnectionHandler
from server_stub.relay.conversation import ListenerSettings
from server_stub.relay.listener import Connections, Listener
from server_stub.relay.login import Login
from server_stub.relay.mailbox import Mailbox
from server_stub.relay.tls import RelayTls

__all__ = ["Login", "Relay", "RelayTls"]


@dataclass(frozen=True)
class Relay:
    """Both listeners, before they listen."""

    login: Login
    mailbox: Mailbox
    refusals: Path
    tls: RelayTls
    misbehaviour: Misbehaviour

    async def listen(self, smtps: socket.socket, smtp: socket.socket) -> list[Listener]:
        """Start both listeners on bound sockets."""
        # Its warnings are about what clients do wrong here on purpose.
        logging.getLogger("mail").setLevel(logging.CRITICAL)
        connections: Connections = set()
        listeners = [
            Listener(bound, ConnectionHandler(self._settings(name), connections).serve, connections)
            for name, bound in (("smtps", smtps), ("smtp", smtp))
        ]
        for listener in listeners:
            listener.open()
        return listeners

    def _settings(self, listener: str) -> ListenerSettings:
        return ListenerSettings(listener, self.login, self.mailbox, self.refusals, self.tls, self.misbehaviour)
