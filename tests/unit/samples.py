"""Plain messages and settings for tests: each call says only what matters to its test."""

from datetime import UTC, datetime, timedelta
from itertools import count
from uuid import UUID

from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import State
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage
from mail_sender.settings import LetterConfig

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ELLIE = "ellie@example.com"
INTENT = IntentId("d1c2s-tuyyh-kcpx2-zhfqx")
HELLO = TestMessage("Ellie")
LETTER = LetterConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")

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


def reset(name: str = "Ellie", expires_at: datetime = NOW + timedelta(minutes=55)) -> CredentialReset:
    """Return a credential reset."""
    return CredentialReset(name, INTENT, expires_at)


def delivery(
    of: Message | None = None,
    state: State = State.QUEUED,
    next_attempt: datetime = NOW,
    attempts: int = 0,
    ambiguous: int = 0,
) -> Delivery:
    """Return a message's delivery to its first recipient."""
    of = of or message(number=1)
    return Delivery(of.id, of.recipients[0], state, next_attempt, attempts, ambiguous)
