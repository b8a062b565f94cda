"""The relay: two SMTP listeners that take mail over TLS with a login, and keep it.

`smtps` speaks TLS from the first byte (RFC 8314), `smtp` demands STARTTLS before anything else (RFC 3207). Both offer
AUTH PLAIN and LOGIN inside TLS only, and want a login before MAIL. Each listener has a door; behind it, each
connection is received and becomes a conversation of its own. All run in one event loop, and misbehave as rules say.
"""

from __future__ import annotations

import logging
import socket
from dataclasses import dataclass
from pathlib import Path

from server_stub.misbehaviour.in_force import Misbehaviour
from server_stub.relay.conversation import Circumstances
from server_stub.relay.door import Door, Visitors
from server_stub.relay.login import Login
from server_stub.relay.mailbox import Mailbox
from server_stub.relay.reception import Reception
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

    async def listen(self, smtps: socket.socket, smtp: socket.socket) -> list[Door]:
        """Start both listeners on bound sockets."""
        # Its warnings are about what clients do wrong here on purpose.
        logging.getLogger("mail").setLevel(logging.CRITICAL)
        visitors: Visitors = set()
        doors = [
            Door(bound, Reception(self._circumstances(listener), visitors).receive, visitors)
            for listener, bound in (("smtps", smtps), ("smtp", smtp))
        ]
        for door in doors:
            door.open()
        return doors

    def _circumstances(self, listener: str) -> Circumstances:
        return Circumstances(listener, self.login, self.mailbox, self.refusals, self.tls, self.misbehaviour)
