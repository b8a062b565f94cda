"""What a relay made of one mail to one recipient: a closed set of verdicts.

A verdict is data. `sender.settle` decides what follows for the delivery, `sender.relay_gate` what follows for the
relay.
"""

import re
from dataclasses import dataclass, field
from enum import Enum, StrEnum
from typing import ClassVar

# RFC 3463: class, subject and detail, at the start of a reply's text.
_ENHANCED = re.compile(r"^([245]\.\d{1,3}\.\d{1,3})(?=\s|$)")
_QUEUE_ID = re.compile(r"queued as <?([A-Za-z0-9._@-]{1,100})|\bid=([A-Za-z0-9._-]{1,64})")


class Stage(StrEnum):
    """How far the conversation with the relay had come (RFC 5321, section 3), in the order of the conversation."""

    TOKEN = "token"  # noqa: S105 - a stage's name: an OAuth token is got before the conversation
    RESOLVE = "resolve"
    CONNECT = "connect"
    TLS = "tls"
    BANNER = "banner"
    EHLO = "ehlo"
    STARTTLS = "starttls"
    AUTH = "auth"
    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    BODY = "body"
    DOT = "dot"

    @property
    def in_transaction(self) -> bool:
        """Whether a mail was being handed over: from MAIL on (RFC 5321, section 3.3)."""
        return self is Stage.MAIL or self.has_recipient

    @property
    def has_recipient(self) -> bool:
        """Whether the relay knew the recipient, so that its reply may be about it."""
        return self in {Stage.RCPT, Stage.DATA, Stage.BODY, Stage.DOT}

    @property
    def is_greeting(self) -> bool:
        """Whether the relay did not know yet who we are."""
        return self in {Stage.TLS, Stage.BANNER, Stage.EHLO}

    @property
    def is_admission(self) -> bool:
        """Whether a relay that has too many connections turns one away here."""
        return self.is_greeting or self in {Stage.AUTH, Stage.MAIL}


class Blame(Enum):
    """Whose fault a refusal is, as far as its words say (`relay.refusals`)."""

    ACCOUNT = "our login, our sender address, or the account at the provider: it stays until a person mends it"
    QUOTA = "the account has used up what it may send in an hour, a day or longer"
    PACE = "too fast, or too many connections or mails at a time"
    RELAY = "the relay itself, or the way to it"
    RECIPIENT = "this recipient"
    MESSAGE = "this mail"
    AMBIGUOUS = "a policy: of the relay against us, or of the recipient"
    UNCLEAR = "the reply does not say"

    @property
    def is_a_limit(self) -> bool:
        """Whether it is about how much may be sent, or how fast."""
        return self in {Blame.QUOTA, Blame.PACE}

    @property
    def passes(self) -> bool:
        """Whether it usually passes by itself, whatever the reply's code says."""
        return self.is_a_limit or self is Blame.RELAY

    @property
    def is_ours(self) -> bool:
        """Whether the words leave no doubt that the recipient has no part in it."""
        return self.is_a_limit or self is Blame.ACCOUNT

    @property
    def is_of_the_mail(self) -> bool:
        """Whether it is this mail's alone, until others meet the same."""
        return self in {Blame.RECIPIENT, Blame.MESSAGE, Blame.UNCLEAR}


LONGEST_TEXT = 200
"""Characters of a reply that logs and the ledger show."""


@dataclass(frozen=True, slots=True)
class Reply:
    """A relay's answer: its code and its text, as one line, control characters removed.

    `text` is its beginning, `whole` all that was read of it, if that is more: the reason may stand in the last line.
    """

    code: int
    text: str
    whole: str = field(default="", repr=False, compare=False)

    @classmethod
    def of(cls, code: int, whole: str) -> "Reply":
        """Return the reply with this text, however long."""
        return cls(code, whole[:LONGEST_TEXT], whole if len(whole) > LONGEST_TEXT else "")

    @property
    def enhanced(self) -> str | None:
        """The enhanced status code (RFC 3463), where the relay gives one."""
        match = _ENHANCED.match(self.text)
        return match[1] if match else None

    @property
    def queue_id(self) -> str | None:
        """The relay's own name for the mail if its reply has one."""
        match = _QUEUE_ID.search(self.text)
        return (match[1] or match[2]) if match else None

    def __str__(self) -> str:
        """Give code and text as they stand in the relay's own log."""
        return f"{self.code} {self.text}".strip()


@dataclass(frozen=True, slots=True)
class Accepted:
    """The relay answered 2xx to the final dot: the mail is its own from now on (RFC 5321, section 4.2.5).

    `is_written` says that a folder took the relay's place: the mail is a file, and was not sent.
    """

    name: ClassVar[str] = "accepted"

    reply: Reply
    is_written: bool = False


@dataclass(frozen=True, slots=True)
class Refused:
    """The relay refused this recipient or this message for good (5xx), or no mail could be made of it."""

    name: ClassVar[str] = "refused"

    stage: Stage | None
    reason: str
    reply: Reply | None = None


@dataclass(frozen=True, slots=True)
class Deferred:
    """The relay did not take this recipient or this message now (4xx, or a 5xx that does not last)."""

    name: ClassVar[str] = "deferred"

    stage: Stage
    reply: Reply


@dataclass(frozen=True, slots=True)
class Throttled:
    """The relay takes mail from us, but fewer at a time or more slowly: no message has an attempt counted.

    `is_own` is true where it says so to this mail again, and took others meanwhile: they need no slower pace.
    """

    name: ClassVar[str] = "throttled"

    stage: Stage
    reply: Reply
    is_own: bool = False


@dataclass(frozen=True, slots=True)
class RelayDown:
    """The relay, the login, its certificate or the network is to blame: no message has an attempt counted.

    `lasting` is true where a person must repair it (login, certificate, STARTTLS), false for what usually passes by
    itself (network, overload, a quota). `detail` says what happened, `advice` what to do; `blame` is what a reply's
    words say.
    """

    name: ClassVar[str] = "relay_down"

    stage: Stage
    detail: str
    advice: str
    lasting: bool
    reply: Reply | None = None
    blame: Blame = Blame.RELAY

    def __str__(self) -> str:
        """Give stage, cause and cure in one line."""
        return f"{self.stage}: {self.detail}; {self.advice}"


@dataclass(frozen=True, slots=True)
class Uncertain:
    """The final dot was sent and no reply came: the mail may have arrived."""

    name: ClassVar[str] = "uncertain"

    detail: str


Verdict = Accepted | Refused | Deferred | Throttled | RelayDown | Uncertain
