"""Plain messages and settings for tests: each call says only what matters to its test."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID

from mail_sender.ledger.base import Delivery, Imprint
from mail_sender.ledger.states import State
from mail_sender.mail.config import MailConfig
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Reply, Stage, Uncertain

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)

ELLIE = "ellie@example.com"
A, B, C, D, E = (f"{name}@example.com" for name in "abcde")
INTENT = IntentId("d1c2s-tuyyh-kcpx2-zhfqx")
HELLO = TestMessage("Ellie")
MAIL = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")
IMPRINT = Imprint("<1@example.com>", NOW, "ab" * 32)

OK = Accepted(Reply(250, "2.0.0 Ok: queued as 4D2F"))
NO = Refused(Stage.RCPT, "refused by the relay", Reply(550, "5.1.1 no such user"))
LATER = Deferred(Stage.RCPT, Reply(450, "4.2.0 greylisted"))
DOWN = RelayDown(Stage.CONNECT, "connection refused", "start it", lasting=False)
CUT = Uncertain("connection cut")

_numbers = count(1)


def message(
    *recipients: str,
    content: Content = HELLO,
    send_after: datetime = NOW - timedelta(minutes=1),
    delete_after: datetime = NOW + timedelta(days=7),
    number: int | None = None,
) -> Message:
    """Return a message with an id of its own."""
    id_ = UUID(int=next(_numbers) if number is None else number)
    return Message(id_, send_after, delete_after, recipients or (ELLIE,), content)


def crowd(count: int) -> list[Message]:
    """Return so many messages, each to somebody else."""
    return [message(f"{number}@example.com") for number in range(count)]


def reset(name: str = "Ellie", expires_at: datetime = NOW + timedelta(minutes=55)) -> CredentialReset:
    """Return a credential reset."""
    return CredentialReset(name, INTENT, expires_at)


def delivery(of: Message | None = None, state: State = State.QUEUED, **rest: Any) -> Delivery:
    """Return a message's delivery to its first recipient, due now."""
    of = of or message(number=1)
    times = {"send_after": of.send_after, "deadline": of.deadline, "next_attempt": NOW}
    return Delivery(of.id, of.recipients[0], of.content.kind, state, **{**times, **rest})
