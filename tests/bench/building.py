"""Building one mail, against the standard library's `EmailMessage` for the same finished mail.

Ours is all of `render`: wording, times, the plan that is filled in, MIME, and the look back at the headers. Theirs is
given the headers and the finished text and HTML of a like message. The two take turns, so that whatever else the machine does
meets both, and every turn has a message of its own.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from statistics import median
from time import perf_counter
from uuid import uuid4

from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.message import CredentialReset, IntentId, Message
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.languages import Languages

RECIPIENT = "ellie@example.com"
NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Finished:
    """What `EmailMessage` is given: header fields, text, HTML."""

    headers: list[tuple[str, str]]
    text: str
    html: str

    @classmethod
    def of(cls, mail: Mail) -> "Finished":
        """Take a mail apart."""
        parsed = message_from_bytes(mail.content, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        text, html = (part.get_content() for part in parsed.iter_parts() if isinstance(part, EmailMessage))
        fields = [(name, str(value)) for name, value in parsed.items()]
        return cls([field for field in fields if field[0] not in {"Content-Type", "MIME-Version"}], text, html)

    def built(self) -> bytes:
        """Return the mail, as the standard library makes it."""
        mail = EmailMessage(policy=policy.SMTP)
        for name, value in self.headers:
            mail[name] = value
        mail.set_content(self.text)
        mail.add_alternative(self.html, subtype="html")
        return mail.as_bytes()


@dataclass(frozen=True, slots=True)
class Result:
    """The medians of both, in seconds."""

    language: str
    ours: float
    theirs: float

    @property
    def ratio(self) -> float:
        """How many times theirs ours takes."""
        return self.ours / self.theirs


def measured(language: str, turns: int) -> Result:
    """Return how long a mail in one language takes."""
    config = _config(language)
    ours: list[float] = []
    theirs: list[float] = []
    for number, (message, twin) in enumerate(zip(_messages(turns), _messages(turns), strict=True)):
        date = NOW + timedelta(seconds=number)
        finished = Finished.of(render(twin, RECIPIENT, config, date))
        pair = [(ours, _job(message, config, date)), (theirs, finished.built)]
        for times, job in pair if number % 2 else reversed(pair):
            begun = perf_counter()
            job()
            times.append(perf_counter() - begun)
    return Result(language, median(ours), median(theirs))


def _job(message: Message, config: MailConfig, date: datetime) -> Callable[[], object]:
    return lambda: render(message, RECIPIENT, config, date)


def _config(language: str) -> MailConfig:
    appearance = Appearance(languages=Languages(language))
    return MailConfig(
        "Example Identity", "https://idm.example.com", "idm@example.com", "it@example.com", appearance=appearance
    )


def _messages(count: int) -> Iterator[Message]:
    for number in range(count):
        reset = CredentialReset(
            f"Ellie Example {number}", IntentId(uuid4().hex), NOW + timedelta(minutes=number % 50, hours=1)
        )
        yield Message(uuid4(), NOW, NOW + timedelta(days=7), (RECIPIENT,), reset)
