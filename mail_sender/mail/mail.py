"""A finished mail: its envelope, its bytes, and its Message-ID."""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime

from mail_sender.mail.config import MailConfig
from mail_sender.message import Message
from mail_sender.names import address


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail with its envelope: one sender, one recipient, and the bytes between DATA and the dot.

    Lines of `content` end in CRLF; dots are not stuffed yet (RFC 5321, section 4.5.2). `secrets` and `names` are the
    parts of it that no log and no ledger may repeat. `fault` says which template of the override folder failed,
    where the built-in ones made the mail instead.
    """

    message_id: str
    date: datetime
    sender: str
    recipient: str
    content: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    fault: str | None = None

    @property
    def needs_utf8(self) -> bool:
        """Whether only a relay that accepts addresses outside ASCII can take it (SMTPUTF8, RFC 6531)."""
        return not self.recipient.isascii()

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def message_id(message: Message, recipient: str, config: MailConfig, copy: int = 0) -> str:
    """Return the Message-ID: the message's id on the From domain, the same for every attempt (RFC 5322, 3.6.4).

    If a message has several recipients, each mail's id also has a part made from the recipient. Each further copy
    that the operator asks for has its number in the id: mailboxes hide a second mail with the same Message-ID.
    """
    several = len(message.recipients) > 1
    mark = "." + hashlib.sha256(recipient.encode()).hexdigest()[:12] if several else ""
    again = f".copy{copy}" if copy else ""
    return f"<{message.id}{mark}{again}@{address.domain(config.from_address)}>"
