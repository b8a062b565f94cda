"""The ends of an attempt: one value for all of them, which `ledger_gate` records and reports.

An attempt ends early if the message is not to be mailed (withdrawn, expired, refused by a list of the operator's), if
no mail can be made of it (failed, held), or if the message cannot be read or must not be mailed now (put off, held
back). Otherwise it ends with the relay's verdict, or because
something broke: the ledger before the dot, this program, or the process that made the attempt.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.states import State
from mail_sender.sender import events, settle
from mail_sender.sender.observation import Recorded

HELD_BACK = "held_back"
"""The verdict of the line that says which limit held a delivery back."""


@dataclass(frozen=True, slots=True)
class End:
    """What becomes of a delivery, with the line of its history, and how the log says it.

    `report` is called once the ledger has taken the outcome; without one there is no event, or it is logged already.
    `is_kept` says that the outcome cannot be found out a second time: where the ledger does not take it, it is kept
    and offered again. `is_only` says that the message has no other recipient.
    """

    delivery: Delivery
    outcome: Outcome
    attempt: Attempt | None = None
    report: Callable[[], object] = lambda: None
    is_kept: bool = False
    is_only: bool = False

    @property
    def completes_message(self) -> bool:
        """Whether the message is sent to everybody by it, so that it can be marked."""
        return self.is_only and self.outcome.state is State.SENT

    def recorded(self, now: datetime) -> Recorded:
        """Return it as those who watch see it."""
        waited = (now - self.delivery.send_after).total_seconds()
        return Recorded(now, self.delivery.kind, self.outcome.state, self.attempt, waited)


def withdrawn(delivery: Delivery, why: str, now: datetime) -> End:
    """The server does not want the message to be mailed any more."""
    outcome = settle.ended(delivery, State.WITHDRAWN, now)
    line = Attempt(now, "server", "withdrawn", None, why, 0.0)
    return End(delivery, outcome, line, partial(events.withdrawn, delivery, outcome.state, why))


def expired(delivery: Delivery, now: datetime) -> End:
    """The time of the message or of its link has run out."""
    outcome = settle.ended(delivery, State.EXPIRED, now)
    return End(delivery, outcome, report=partial(events.expired, delivery, outcome.state))


def put_off(delivery: Delivery, now: datetime, wait: timedelta) -> End:
    """The message cannot be read now: the delivery waits, and no attempt is counted."""
    return End(delivery, settle.put_off(delivery, now, wait))


def held_back(delivery: Delivery, until: datetime, why: str | None, now: datetime) -> End:
    """A limit holds the delivery back, and no attempt is counted; with a reason, its history gets a line."""
    line = None if why is None else Attempt(now, "limit", HELD_BACK, None, why, 0.0)
    return End(delivery, settle.put_off(delivery, now, until - now), line)


def disposable(delivery: Delivery, why: str, now: datetime) -> End:
    """The operator wants no mail to this recipient's domain."""
    line = Attempt(now, "recipient", "disposable", None, why, 0.0)
    return End(delivery, settle.ended(delivery, State.FAILED, now), line, partial(events.refused, delivery, why))


def failed(delivery: Delivery, reason: str, now: datetime) -> End:
    """No mail can be made of the message for this recipient."""
    why = f"no mail could be made of it: {reason}"
    line = Attempt(now, "render", "refused", None, why, 0.0)
    return End(delivery, settle.ended(delivery, State.FAILED, now), line, partial(events.failed, delivery, why))


def held(delivery: Delivery, why: str, now: datetime) -> End:
    """The message waits for a template: it is not to blame."""
    line = Attempt(now, "render", "held", None, why, 0.0)
    return End(delivery, settle.ended(delivery, State.HELD, now), line, partial(events.held, delivery, why))


def stopped(claimed: Delivery, at: datetime, relay: str) -> End:
    """The ledger could not write that the dot comes next: the mail was stopped before it, and is due at once."""
    return End(claimed, settle.put_off(claimed, at), settle.not_written(at, relay), is_kept=True)


def late(claimed: Delivery, at: datetime, relay: str) -> End:
    """The dot's time had passed: the mail was stopped before it, and is due at once, if nobody has taken it over."""
    return End(claimed, settle.put_off(claimed, at), settle.too_late(at, relay), is_kept=True)


def interrupted(delivery: Delivery, now: datetime) -> End:
    """The process that made the attempt is gone, or has lost track of it."""
    outcome = settle.interrupted(delivery, now)
    report = partial(events.interrupted, delivery, outcome.state)
    return End(delivery, outcome, settle.lost_track(delivery, now), report)


def crashed(delivery: Delivery, now: datetime) -> End:
    """A fault of this program stopped it: it is held, unless it may have arrived (`settle.interrupted`)."""
    held_back = settle.ended(delivery, State.HELD, now)
    return End(delivery, settle.interrupted(delivery, now) if delivery.dot else held_back)
