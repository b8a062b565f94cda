"""One SMTP session from the relay's side: the stub's own conversation, but for what the case's behaviour says.

The stub obeys the client and keeps the mails; here it reads from and speaks to a `Wire`, which counts and cuts. What a
behaviour has a reply for, the conversation does as if it had said that reply by itself: it takes a sender after a yes,
and none after anything else; only at the dot is a mail taken unless the reply is a no (RFC 5321, section 4.2).
"""

import asyncio
import hashlib
import re
import ssl
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.misbehaviour.relay_rule import RelayAct
from server_stub.relay.conversation import Conversation, ListenerSettings
from server_stub.relay.login import Login
from server_stub.relay.mailbox import Envelope
from tests.faults.rig_behaviour import Behaviour, Step
from tests.faults.rig_place import PASSWORD, USERNAME
from tests.faults.rig_record import Connection, Heard, Mail, Said
from tests.faults.rig_wire import Gone, How, Wire

_READABLE_YES = re.compile(rb"(?:2\d\d-[^\r\n]{0,500}\r\n)*2\d\d(?: [^\r\n]{0,500})?\r\n")
_STEPS = {"tls": Step.STARTTLS, **{step.lower(): step for step in Step if step is not Step.STARTTLS}}
_REFUSED = RelayAct(reply="554 5.0.0 what the behaviour says instead")


class Book(Protocol):
    """Where a session writes mails down."""

    def now(self) -> datetime:
        """Return the time."""
        ...

    def note(self, mail: Mail) -> int:
        """Write a mail down; return its place."""
        ...

    def amend(self, place: int, heard: Heard) -> None:
        """Write down what the client can have heard of a mail."""
        ...

    async def gathered(self, mails: int) -> None:
        """Wait until so many mails have waited at the same time."""
        ...


class Session(Conversation):
    """One SMTP session, from the relay's side."""

    def __init__(
        self,
        book: Book,
        wire: Wire,
        behaviour: Behaviour,
        connection: Connection,
        tls: ssl.SSLContext,
        *,
        pipelining: bool = False,
    ) -> None:
        listener = "smtps" if connection.implicit else "smtp"
        self._tls = behaviour.tls or tls
        settings = ListenerSettings(
            listener,
            Login(USERNAME, PASSWORD),
            self,
            Path("there is no such file"),
            _Context(self._tls),
            Misbehaviour(),
        )
        super().__init__(settings, RelayAct())
        self._book = book
        self._wire = wire
        self._behaviour = behaviour
        self._connection = connection
        self._step: Step | None = Step.BANNER
        self._recipient = ""
        self._muted = False
        self._replied: Counter[Step] = Counter()
        self._mails = 0
        self.offers = ("PIPELINING",) if pipelining else ()
        self._held = b""
        self._noted: int | None = None

    async def run(self) -> None:
        """Speak until one side ends it."""
        if self._connection.implicit:
            await self._encrypt()
        stream: Any = _Stream(self, self._wire)  # what aiosmtpd is given by asyncio otherwise
        self._reader = self._writer = self.transport = stream
        self._begin()
        self._reset_timeout()
        try:
            await self._handle_client()
        finally:
            if self._timeout_handle:
                self._timeout_handle.cancel()

    def write_down(self) -> None:
        """Bring the connection's record up to date."""
        self._connection.tls = self._wire.version
        self._connection.clear = self._wire.clear
        self._connection.logged_in = bool(self.session and self.session.authenticated)
        self._connection.up, self._connection.down = self._wire.up, self._wire.down

    def heard(self, line: bytes) -> None:
        """Write down a command, before it is obeyed."""
        self._step, self._muted = None, False
        verb = (line.split() or [b"-"])[0].decode("ascii", "replace").upper()
        self._connection.commands.append(Said(self._wire.arrived, verb, line))

    def store(self, content: bytes, envelope: Envelope) -> str:
        """Keep a mail, as the stub's mailbox does: whatever becomes of the reply, the mail is the relay's."""
        mail = Mail(
            self._book.now(),
            self._connection.number,
            envelope.mail_from,
            envelope.rcpt_to[-1],
            _header(content, b"Message-ID"),
            hashlib.sha256(content).hexdigest(),
            heard=Heard.NO,
        )
        self._noted = self._book.note(mail)
        return f"CHAOS-{self._noted}"

    async def act(self, stage: str, *recipients: str) -> RelayAct:
        """Return whether the behaviour refuses this stage; what is said, `push` knows."""
        self._step, self._muted = _STEPS[stage], False
        self._recipient = recipients[-1] if recipients else ""
        scripted = self._scripted(self._step)
        if scripted is not None and not _is_yes(self._step, scripted):
            return _REFUSED
        return RelayAct(no_starttls=not self._behaviour.offers_starttls)

    async def push(self, status: str | bytes) -> None:
        """Say a reply: the behaviour's, where it has one for this step, and as slowly as it wants."""
        usual = (status.encode() if isinstance(status, str) else status) + b"\r\n"
        if self._muted:
            return
        if self._step is None or usual.startswith(b"334"):
            await self._send(usual)
            return
        step, self._step = self._step, None
        scripted = self._scripted(step)
        self._replied[step] += 1
        self._muted = scripted is not None  # of a reply in several lines, the others
        reply, before = usual if scripted is None else scripted, self._wire.down
        try:
            if step is Step.DOT and self._behaviour.gathers:
                await self._book.gathered(self._behaviour.gathers)
            await self._say_slowly(step, reply)
        finally:
            if step is Step.DOT:
                self._judge(reply, whole=self._wire.down - before == len(reply))
        if how := self._behaviour.ends.get(step):
            await self._wire.end(how)
            raise Gone
        if self._mails == self._behaviour.mails:
            raise Gone
        if step is self._behaviour.forgets:
            self._wire.forget()

    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name, as those below
        """Start TLS on the wire."""
        if self.tls_context is None:
            await super().smtp_STARTTLS(arg)
            return
        act = await self.act("tls")
        await self.push(act.reply or "220 2.0.0 go on")
        if act.reply is None:
            await self._encrypt()
            encrypted: Any = True
            self._tls_protocol = encrypted  # aiosmtpd only asks whether there is one
            self._begin()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Take a mail; a generous relay takes one for nobody, too (RFC 2920, section 3.1)."""
        if not self._behaviour.generous or self._recipients():
            await super().smtp_DATA(arg)
            return
        self._step = Step.DATA
        await self.push("354 go on")
        content = b""
        while content != b".\r\n" and not content.endswith(b"\r\n.\r\n"):
            content += await self._wire.until(b"\r\n")
        self._connection.for_nobody.append(content)
        self._set_rset_state()  # type: ignore[no-untyped-call]  # aiosmtpd's
        self._step, self._muted = Step.DOT, False
        await self.push(self._behaviour.generous)

    async def smtp_RSET(self, arg: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Forget sender and recipient."""
        await self.act("rset")
        await super().smtp_RSET(arg)

    async def smtp_QUIT(self, _: str) -> None:  # noqa: N802 - aiosmtpd's name
        """Say goodbye."""
        await self.act("quit")
        await self.push(GOODBYE)
        await self._wire.end(How.FIN)
        raise Gone

    def _begin(self) -> None:
        """Know nothing of the client: at first, and once more after STARTTLS (RFC 3207, section 4.2)."""
        self.session = self._create_session()
        self.envelope = self._create_envelope()

    async def _encrypt(self) -> None:
        if self._behaviour.plain:
            await self._wire.send(self._behaviour.plain)
        if self._behaviour.hangs:
            await self._wire.end(How.STALL)
            raise Gone
        try:
            await self._wire.start_tls(self._tls)
        except ssl.SSLError as error:
            raise Gone from error
        self.write_down()

    def _scripted(self, step: Step) -> bytes | None:
        if self._mails + 1 < self._behaviour.from_mail or self._replied[step] >= self._behaviour.times:
            return None
        if step is Step.RCPT and self._recipient in self._behaviour.refusals:
            return self._behaviour.refusals[self._recipient]
        return self._behaviour.replies.get(step)

    async def _say_slowly(self, step: Step, reply: bytes) -> None:
        if wait := self._behaviour.delays.get(step, 0.0):
            await self._pause(wait)
        if pause := self._behaviour.trickle.get(step, 0.0):
            for octet in reply:
                await self._pause(pause)
                await self._wire.send(bytes([octet]))
        else:
            await self._send(reply)

    async def _send(self, octets: bytes) -> None:
        """Write a reply, or keep it for those behind it in its group."""
        self._held += octets
        if not (self._behaviour.grouped and self._wire.has_line):
            octets, self._held = self._held, b""
            await self._wire.send(octets)

    async def _pause(self, seconds: float) -> None:
        """Let real time pass; the client says nothing meanwhile, or has given up."""
        await asyncio.sleep(seconds)
        self._wire.require_silence()

    def _judge(self, reply: bytes, *, whole: bool) -> None:
        """Write down what the client can have heard of the mail."""
        self._mails += 1
        if self._noted is not None:
            self._book.amend(self._noted, self._heard(reply, whole=whole))
            self._noted = None

    def _heard(self, reply: bytes, *, whole: bool) -> Heard:
        cut = self._behaviour.cut
        if not whole or not _last_line(reply).startswith(b"2"):
            return Heard.NO
        if not _READABLE_YES.fullmatch(reply) or (
            cut and cut.how is How.RST and cut.direction == "down" and self._wire.down == cut.after
        ):
            return Heard.PERHAPS
        return Heard.YES


GOODBYE = "221 2.0.0 bye"


class _Context:
    """One TLS context, whatever the stub's rules want."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context

    def context(self, _: RelayAct) -> ssl.SSLContext:
        return self._context


class _Stream:
    """A wire in the place of asyncio's reader, writer and transport, as far as aiosmtpd asks for one."""

    def __init__(self, session: Session, wire: Wire) -> None:
        self._session = session
        self._wire = wire

    async def readuntil(self, end: bytes = b"\n") -> bytes:
        """Return a command, or a line of a mail (which ends in CRLF)."""
        found = await self._wire.until(end)
        if end == b"\n":
            self._session.heard(found.rstrip(b"\r\n"))
        return found

    async def readline(self) -> bytes:
        """Return a line of a login."""
        return await self._wire.until(b"\n")

    def close(self) -> None:
        """Do nothing: the relay closes."""

    def get_extra_info(self, _: str) -> Any:
        """Tell nothing: the wire has its own record."""
        return None


def _is_yes(step: Step, reply: bytes) -> bool:
    match step:
        case Step.DOT:
            return _last_line(reply)[:1] not in {b"4", b"5"}
        case Step.DATA:
            return reply.startswith(b"354")
        case Step.STARTTLS:
            return reply.startswith(b"220")
    return reply.startswith(b"2")


def _last_line(reply: bytes) -> bytes:
    return reply.rstrip().rpartition(b"\n")[2]


def _header(content: bytes, name: bytes) -> str:
    found = re.search(rb"(?im)^" + name + rb":\s*(\S+)", content.partition(b"\r\n\r\n")[0])
    return found[1].decode() if found else ""
