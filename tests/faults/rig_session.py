"""One SMTP session from the relay's side: it obeys the client (RFC 5321), except where its behaviour says otherwise."""

import asyncio
import base64
import hashlib
import re
import ssl
from collections import Counter
from datetime import datetime
from typing import Protocol

from tests.faults.rig_behaviour import OFFERED_IN_CLEAR, REPLIES, Behaviour, Step
from tests.faults.rig_record import Connection, Heard, Mail, Said
from tests.faults.rig_wire import Gone, How, Wire

_READABLE_YES = re.compile(rb"(?:2\d\d-[^\r\n]{0,500}\r\n)*2\d\d(?: [^\r\n]{0,500})?\r\n")


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


class Session:
    """One SMTP session, from the relay's side."""

    def __init__(self, book: Book, wire: Wire, behaviour: Behaviour, connection: Connection) -> None:
        self._book = book
        self._wire = wire
        self._behaviour = behaviour
        self._connection = connection
        self._mails = 0
        self._replied: Counter[Step] = Counter()
        self._sender = self._recipient = ""

    async def run(self, tls: ssl.SSLContext, *, implicit: bool) -> None:
        """Speak until one side ends it."""
        self._context = self._behaviour.tls or tls
        if implicit:
            await self._encrypt()
        await self._reply(Step.BANNER)
        while self._behaviour.mails is None or self._mails < self._behaviour.mails:
            line = await self._wire.line()
            verb = (line.split() or [b"-"])[0].decode("ascii", "replace").upper()
            self._connection.commands.append(Said(self._book.now(), verb, line))
            if not await self._obey(verb, line):
                await self._wire.end(How.FIN)
                return

    def write_down(self) -> None:
        """Bring the connection's record up to date."""
        self._connection.tls = self._wire.version
        self._connection.clear = self._wire.clear
        self._connection.up, self._connection.down = self._wire.up, self._wire.down

    async def _encrypt(self) -> None:
        if self._behaviour.plain:
            await self._wire.say(self._behaviour.plain)
        if self._behaviour.hangs:
            await self._wire.end(How.STALL)
            raise Gone
        await self._wire.start_tls(self._context)
        self.write_down()

    async def _obey(self, verb: str, line: bytes) -> bool:
        match verb:
            case "EHLO":
                await self._reply(Step.EHLO)
            case "STARTTLS" if not self._wire.version:
                if (await self._reply(Step.STARTTLS)).startswith(b"220"):
                    await self._encrypt()
            case "AUTH":
                await self._login(line)
            case "MAIL":
                await self._take_sender(line)
            case "RCPT":
                await self._take_recipient(line)
            case "DATA":
                await self._take_mail()
            case "RSET":
                self._sender = self._recipient = ""
                await self._reply(Step.RSET)
            case "QUIT":
                await self._reply(Step.QUIT)
                return False
            case _:
                await self._wire.say(b"502 5.5.1 what?\r\n")
        return True

    async def _login(self, line: bytes) -> None:
        """Take PLAIN in one line, and LOGIN in three; the answer to the last one is the script's."""
        if line.upper().startswith(b"AUTH LOGIN"):
            for prompt in (b"Username:", b"Password:"):
                await self._wire.say(b"334 " + base64.b64encode(prompt) + b"\r\n")
                await self._wire.line()
        self._connection.logged_in = (await self._reply(Step.AUTH)).startswith(b"2")

    async def _take_sender(self, line: bytes) -> None:
        self._recipient = ""
        good = (await self._reply(Step.MAIL)).startswith(b"2")
        self._sender = _path(line) if good else ""

    async def _take_recipient(self, line: bytes) -> None:
        if not self._sender:
            await self._wire.say(b"503 5.5.1 MAIL first\r\n")
        elif refusal := self._behaviour.refusals.get(_path(line)):
            self._connection.replies.append(Said(self._book.now(), Step.RCPT, refusal))
            await self._wire.say(refusal)
        elif (await self._reply(Step.RCPT)).startswith(b"2"):
            self._recipient = _path(line)

    async def _take_mail(self) -> None:
        if not self._recipient:
            await self._wire.say(b"503 5.5.1 RCPT first\r\n")
        elif (await self._reply(Step.DATA)).startswith(b"354"):
            octets = (await self._wire.until(b"\r\n.\r\n"))[:-3]
            await self._judge(re.sub(rb"(?m)^\.", b"", octets))

    async def _judge(self, content: bytes) -> None:
        """Accept or refuse a mail, and only then say so: whatever becomes of the reply, the mail is the relay's."""
        reply = self._scripted(Step.DOT)
        mail = Mail(
            self._book.now(),
            self._connection.number,
            self._sender,
            self._recipient,
            _header(content, b"Message-ID"),
            hashlib.sha256(content).hexdigest(),
            accepted=_last_line(reply)[:1] not in {b"4", b"5"},
            heard=Heard.NO,
        )
        self._sender = self._recipient = ""
        place = self._book.note(mail)
        before = self._wire.down
        try:
            await self._reply(Step.DOT)
        finally:
            self._book.amend(place, self._heard(reply, whole=self._wire.down - before == len(reply)))
            self._mails += 1

    def _heard(self, reply: bytes, *, whole: bool) -> Heard:
        cut = self._behaviour.cut
        if not whole or not _last_line(reply).startswith(b"2"):
            return Heard.NO
        if not _READABLE_YES.fullmatch(reply) or (
            cut and cut.how is How.RST and cut.direction == "down" and self._wire.down == cut.after
        ):
            return Heard.PERHAPS
        return Heard.YES

    def _scripted(self, step: Step) -> bytes:
        usual = REPLIES[step]
        if step is Step.EHLO and not self._wire.version and self._behaviour.offers_starttls:
            usual = OFFERED_IN_CLEAR
        if self._mails + 1 < self._behaviour.from_mail or self._replied[step] >= self._behaviour.times:
            return usual
        return self._behaviour.replies.get(step, usual)

    async def _reply(self, step: Step) -> bytes:
        """Say what the script has for a step, as slowly as it wants, and return it."""
        reply = self._scripted(step)
        self._replied[step] += 1
        self._connection.replies.append(Said(self._book.now(), step, reply))
        if wait := self._behaviour.delays.get(step, 0.0):
            await self._pause(wait)
        if pause := self._behaviour.trickle.get(step, 0.0):
            for octet in reply:
                await self._pause(pause)
                await self._wire.say(bytes([octet]))
        else:
            await self._wire.say(reply)
        return reply

    async def _pause(self, seconds: float) -> None:
        """Let real time pass; the client says nothing meanwhile, or has given up."""
        await asyncio.sleep(seconds)
        self._wire.require_silence()


def _last_line(reply: bytes) -> bytes:
    return reply.rstrip().rpartition(b"\n")[2]


def _path(line: bytes) -> str:
    found = re.search(rb"<([^>]*)>", line)
    return found[1].decode() if found else ""


def _header(content: bytes, name: bytes) -> str:
    found = re.search(rb"(?im)^" + name + rb":\s*(\S+)", content.partition(b"\r\n\r\n")[0])
    return found[1].decode() if found else ""
