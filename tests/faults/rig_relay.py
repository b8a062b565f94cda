"""The chaos relay: a relay over TLS that treats each connection as a case wants it, and writes down all that happens.

`behave` gives a `Behaviour` for each connection, by its number. What the relay writes down is the truth of the
campaign: a mail is accepted when the relay would deliver it, whatever the client learns of that, and `heard` says
what the client can have learnt.
"""

import contextlib
import socket
import ssl
from dataclasses import replace
from datetime import datetime

from server_stub.relay.listener import Connections, Listener
from tests.faults.rig_behaviour import HEALTHY, Behave
from tests.faults.rig_changes import Changes
from tests.faults.rig_clock import FastClock
from tests.faults.rig_record import Connection, Heard, Mail
from tests.faults.rig_session import Session
from tests.faults.rig_wire import Gone, Wire


class ChaosRelay:
    """A relay on a free port of loopback; `implicit` says that TLS comes first.

    While it is `deaf`, connections are closed unseen: whoever comes is dead already. It offers PIPELINING (RFC 2920) if
    it is to. `most_at_once` is how many mails waited for the reply to their dots at the same time, `clashes` are the
    recipients for whom two of them did.
    """

    def __init__(
        self,
        tls: ssl.SSLContext,
        clock: FastClock,
        changes: Changes,
        *,
        implicit: bool = True,
        pipelining: bool = False,
    ) -> None:
        self.deaf = False
        self.pipelining = pipelining
        self.most_at_once = 0
        self.clashes: list[str] = []
        self.behave: Behave = lambda _: HEALTHY
        self.connections: list[Connection] = []
        self.mails: list[Mail] = []
        self._tls = tls
        self._implicit = implicit
        self._clock = clock
        self._changes = changes
        self._sessions: Connections = set()
        self._at_dot: set[int] = set()
        self._listener: Listener | None = None
        self.port = 0

    async def listen(self) -> None:
        """Take connections from now on, on the same port as before if there was one."""
        bound = socket.create_server(("127.0.0.1", self.port))
        self.port = bound.getsockname()[1]
        self._listener = Listener(bound, self._serve, self._sessions)
        self._listener.open()

    async def down(self) -> None:
        """End all connections, and refuse new ones."""
        if self._listener is None:
            return
        listener, self._listener = self._listener, None
        await listener.close()

    def sever(self) -> None:
        """End all connections at this moment, and go on listening."""
        if self._listener:
            self._listener.sever()

    async def _serve(self, sock: socket.socket) -> None:
        if self.deaf:
            sock.close()
            return
        number = len(self.connections) + 1
        behaviour = self.behave(number)
        try:
            sock.setblocking(False)
            wire = Wire(sock, self.now, behaviour.cut)
        except OSError:  # the client is gone already
            sock.close()
            return
        connection = Connection(number, self._clock.now(), wire.peer[1], self._implicit)
        self.connections.append(connection)
        self._changes.ring()
        session = Session(self, wire, behaviour, connection, self._tls, pipelining=self.pipelining)
        try:
            with contextlib.suppress(Gone):
                await session.run()
            if behaviour.cut and wire.is_cut:
                session.write_down()
                self._changes.ring()
                await wire.end(behaviour.cut.how)
        finally:
            session.write_down()
            connection.ended = self._clock.now()
            wire.close()
            self._changes.ring()

    def asked_for(self, recipient: str) -> list[datetime]:
        """Return when it was asked to take mail for a recipient."""
        return [at for one in self.connections for at in one.asked_for(recipient)]

    def now(self) -> datetime:
        """Return the time of the relay's clock, which is the rig's."""
        return self._clock.now()

    def note(self, mail: Mail) -> int:
        """Write a mail down; return its place."""
        if any(self.mails[place].recipient == mail.recipient for place in self._at_dot):
            self.clashes.append(mail.recipient)
        self.mails.append(mail)
        self._at_dot.add(len(self.mails) - 1)
        self.most_at_once = max(self.most_at_once, len(self._at_dot))
        self._changes.ring()
        return len(self.mails) - 1

    async def gathered(self, mails: int) -> None:
        """Wait until so many mails have waited for the replies to their dots at the same time."""
        await self._changes.until(lambda: self.most_at_once >= mails)

    def amend(self, place: int, heard: Heard) -> None:
        """Write down what the client can have heard of a mail."""
        self._at_dot.discard(place)
        self.mails[place] = replace(self.mails[place], heard=heard)
        self._changes.ring()
