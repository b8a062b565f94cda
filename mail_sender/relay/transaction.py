"""What is said of one mail up to its body: MAIL, RCPT and DATA (RFC 5321, section 3.3), each of which needs a yes.

1. A mail that was begun before, and not accepted, is taken back first, by RSET. Whatever that gets but a yes, the
   connection is of no more use (`NotReset`).
2. The commands go one at a time, or as a group in one packet (RFC 2920); either way the replies are read in their
   order, and each has its stage and its deadline.
3. If a command of a group is refused, that is what counts. The replies to those behind it are only read so that the
   connection can be used again. If the relay asks for a body all the same, the connection is given up, and nothing
   more is written: so there is nothing that it could take for a mail. (RFC 2920, section 3.1, would have a lone dot.)
"""

from collections.abc import Collection

from aiosmtplib.errors import SMTPException

from mail_sender.mail.mail import Mail
from mail_sender.relay import deadlines
from mail_sender.relay.channel import Channel, Rejected
from mail_sender.verdict import Reply, Stage


class NotReset(Exception):
    """A mail that was begun could not be taken back: the connection is of no more use. What happened is its cause."""


class Transaction:
    """One mail's way up to its body. `is_begun` says that the relay took our MAIL command."""

    def __init__(self, channel: Channel, mail: Mail, extensions: Collection[str]) -> None:
        self.is_begun = False
        self._channel = channel
        size = f" SIZE={len(mail.content)}" if "size" in extensions else ""
        # A relay that offers SMTPUTF8 takes 8BITMIME as well (RFC 6531, section 3.1).
        utf8 = " BODY=8BITMIME SMTPUTF8" if mail.needs_utf8 else ""
        self._commands = (
            (Stage.MAIL, f"MAIL FROM:<{mail.sender}>{size}{utf8}"),
            (Stage.RCPT, f"RCPT TO:<{mail.recipient}>"),
            (Stage.DATA, "DATA"),
        )

    async def begin(self, *, grouped: bool, reset: bool) -> None:
        """Say all, and read the replies up to DATA's 354; `reset` says that a mail is to be taken back before."""
        group = [line for _, line in self._commands] if grouped else []
        if reset:
            await _reset(self._channel, *group)
        elif grouped:
            self._channel.write(*group)
        for number, (stage, line) in enumerate(self._commands, 1):
            self._channel.stage = stage
            if not grouped:
                self._channel.write(line)
            try:
                await self._channel.answer(stage, expect=354 if stage is Stage.DATA else 2)
            except Rejected as error:
                if grouped:
                    await self._pass_over(error.reply, len(self._commands) - number)
                raise
            self.is_begun = True

    async def _pass_over(self, refusal: Reply, left: int) -> None:
        """Read the replies to what was said along with a refused command, and keep the connection if they refuse."""
        code = refusal.code
        try:
            async with deadlines.within(deadlines.RESET):
                while left and is_no(code):
                    code = await self._channel.any_answer()
                    left -= 1
        except (SMTPException, OSError):
            code = 0
        if not is_no(code):
            self._channel.abort()


async def _reset(channel: Channel, *group: str) -> None:
    """Take back a mail that was begun and not accepted; the replies to a group said along with it are left."""
    try:
        await channel.aside("RSET", deadlines.RESET, *group)
    except (Rejected, SMTPException, OSError) as error:
        raise NotReset from error


async def taken_back(channel: Channel) -> bool:
    """Take back a mail that was begun; say whether the relay agreed."""
    try:
        await _reset(channel)
    except NotReset:
        return False
    return True


def is_no(code: int) -> bool:
    """Say whether a reply refuses a command, and the connection goes on."""
    return 400 <= code < 600 and code != 421


def stuffed(content: bytes) -> bytes:
    """Return content with the dot doubled where one begins a line (RFC 5321, section 4.5.2); hardly any has one."""
    found = content.replace(b"\n.", b"\n..") if b"\n." in content else content
    return b"." + found if found.startswith(b".") else found
