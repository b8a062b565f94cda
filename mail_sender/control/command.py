"""What the operator asks of the queue, and what that makes of a delivery.

An order is a value, and the JSON line that crosses the control socket. What it makes of one delivery is a pure
function: an outcome, or a sentence that says why nothing can be done.

    retry      failed, abandoned, held -> queued, due now: a new start, so attempts count from nothing. Ambiguity
               stays: it counts what may already lie in the mailbox, and no order takes that back. A queued delivery
               only becomes due. What is past its deadline stays, since its mail would hold a dead link; so only an
               expired delivery that a wrong clock had expired can be tried again.
    flush      queued, held -> queued, due now; nothing else changes
    abandon    queued, held, unknown -> abandoned
    resend     sent, unknown, withdrawn -> queued as another copy, with a Message-ID of its own: attempts and
               ambiguity are that copy's, and start from nothing
"""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from mail_sender.ledger.base import Attempt, Delivery, Outcome, Query
from mail_sender.ledger.states import State
from mail_sender.message import Message

Verb = Literal["list", "show", "retry", "flush", "abandon", "resend"]

SHORTEST_ID = 6
"""Characters of a message's id, at least, that stand for the whole."""


class Command(BaseModel):
    """One verb, and which deliveries it means: all that fit every field that is set.

    `message` is an id or the start of one. `limit` and `before` choose a page of a list: so many deliveries, from
    those with a smaller number than `before`.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    verb: Verb
    message: str | None = Field(default=None, min_length=SHORTEST_ID, max_length=36, pattern=r"^[0-9a-f-]+$")
    states: frozenset[State] = frozenset(State)
    recipient: str | None = Field(default=None, max_length=1_000)
    limit: int | None = Field(default=None, ge=1)
    before: int | None = Field(default=None, ge=1, lt=2**63)
    show_addresses: bool = False

    @property
    def only_looks(self) -> bool:
        """Whether nothing is changed by it."""
        return self.verb in {"list", "show"}

    @property
    def query(self) -> Query:
        """What the ledger is asked for."""
        return Query(self.states, self.recipient, self.message)


_ORDERED: dict[str, str] = {"retry": "retried", "abandon": "given up", "resend": "resent"}
IN_FLIGHT = "is being sent right now: try again in a moment"


def due_now(delivery: Delivery, now: datetime) -> Outcome | str:
    """Return what a flush makes of a delivery."""
    if delivery.state not in {State.QUEUED, State.HELD}:
        return IN_FLIGHT if delivery.state is State.PROCESSING else f"is {delivery.state}"
    return _queued(delivery, now)


def retried(delivery: Delivery, now: datetime) -> Outcome | str:
    """Return what a retry makes of a delivery."""
    if (why := _NOT_RETRIED.get(delivery.state)) is not None:
        return why
    if delivery.deadline <= now:
        return _too_late(delivery.deadline)
    outcome = _queued(delivery, now)
    return outcome if delivery.state is State.QUEUED else replace(outcome, attempts=0)


def abandoned(delivery: Delivery, now: datetime) -> Outcome | str:
    """Return what giving up makes of a delivery."""
    if delivery.state is State.PROCESSING:
        return IN_FLIGHT
    if delivery.state not in {State.QUEUED, State.HELD, State.UNKNOWN}:
        return f"is {delivery.state}: there is nothing to give up"
    return replace(_queued(delivery, now), state=State.ABANDONED)


def sent_again(delivery: Delivery, message: Message, now: datetime) -> Outcome | str:
    """Return what sending again makes of a delivery, whose message the server has just shown."""
    if delivery.state not in {State.SENT, State.UNKNOWN, State.WITHDRAWN}:
        return f"is {delivery.state}: only what was sent here or elsewhere, or may have been, can be sent again"
    if delivery.recipient not in message.recipients:
        return "is not among the message's recipients any more"
    deadline = min(message.deadline, delivery.deadline)
    return _too_late(deadline) if deadline <= now else Outcome(State.QUEUED, now, 0, 0, delivery.copy + 1)


def line(what: Verb, now: datetime) -> Attempt:
    """Return the line of history that an order writes."""
    return Attempt(now, "operator", _ORDERED[what], None, "by hand", 0.0)


def told(delivery: Delivery, outcome: Outcome) -> str:
    """Return what to say of an order that was carried out."""
    if outcome.state is State.ABANDONED:
        return f"was {delivery.state}; given up" + (" (it may have arrived once)" if delivery.ambiguous else "")
    if outcome.copy > delivery.copy:
        return f"was {delivery.state}; a copy is queued, with a Message-ID of its own"
    return f"was {delivery.state}; due now"


def _queued(delivery: Delivery, now: datetime) -> Outcome:
    return Outcome(State.QUEUED, now, delivery.attempts, delivery.ambiguous, delivery.copy)


def _too_late(deadline: datetime) -> str:
    return f"is too late: its link or its time in the queue ended at {deadline.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


_NOT_RETRIED = {
    State.PROCESSING: IN_FLIGHT,
    State.SENT: "is sent: `mail-sender queue resend` sends a second copy",
    State.WITHDRAWN: "is withdrawn: marked sent or deleted on the server first; `resend` sends it all the same",
    State.UNKNOWN: "may have arrived: `mail-sender queue resend` sends another copy, `abandon` leaves it",
}
