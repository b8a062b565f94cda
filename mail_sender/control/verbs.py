"""The verbs that a sender answers, in one table: what each makes of a delivery, and why it leaves others alone.

A new verb needs a row, the function that the row names, and its options in `cli/queue.py`. The `Handler` needs a
method only where the verb does more than change each delivery by that function.

    retry      failed, abandoned, held, expired -> queued, due now. This is a new start: attempts count from zero.
               The count of ambiguous attempts stays, since those mails may be in the mailbox. A queued delivery only
               becomes due. A delivery that is past its deadline stays as it is, since its mail would hold a dead
               link; so an expired one can be retried only where a wrong clock had expired it.
    flush      queued, held -> queued, due now; nothing else changes.
    abandon    queued, held, unknown -> abandoned.
    resend     sent, unknown, withdrawn -> queued as another copy with a Message-ID of its own, whose attempts and
               ambiguous attempts count from zero. The same for an abandoned delivery that may have arrived.

    status     the status of the running sender; `health` is the part of it for which nothing has to be read.

Only `resend` asks the operator first. So no other verb queues what has ended and may have arrived, whichever verbs
came before: what was given up after a cut at the dot, or as a copy, is for `resend` alone.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from types import MappingProxyType

from mail_sender.ledger.base import Attempt, Delivery, Outcome
from mail_sender.ledger.states import FINAL, State

Change = Callable[[Delivery, datetime], Outcome | str]
"""What a verb makes of a delivery at a time, or a sentence that says why nothing."""

ANSWER_SECONDS = 5.0
READ_SECONDS = 10.0
CHANGE_SECONDS = 60.0
"""Seconds that a client waits: for a whole status, which a sender that works gives at once; for the next line of a
command that reads the ledger, and of one that changes something, where server or disk have to work."""

IN_FLIGHT = "is being sent right now: try again in a moment"
_MAY_HAVE_ARRIVED = "may have arrived: `mail-sender queue resend` sends another copy"


@dataclass(frozen=True, slots=True)
class Verb:
    """What is particular to one verb.

    `takes` are the states that it changes, and `change` does it; without it the verb only reads. `refusals` says why
    a delivery in another state is left as it is; where it says nothing of a state, `otherwise` is added to its name.
    `history` is the verdict of the line that the verb adds to a delivery's history; with None it adds none. `seconds`
    is how long a client waits for the next line of the response, or for all of it if it is not `is_of_queue`, about
    deliveries.
    """

    takes: frozenset[State] = frozenset()
    change: Change | None = None
    refusals: Mapping[State, str] = field(default_factory=dict)
    otherwise: str = ""
    history: str | None = None
    seconds: float = READ_SECONDS
    is_of_queue: bool = True

    @property
    def reads_only(self) -> bool:
        """Whether it changes nothing."""
        return self.change is None

    def decide(self, delivery: Delivery, now: datetime) -> Outcome | str:
        """Return what it makes of a delivery, or a sentence that says why nothing."""
        if self.change is None or delivery.state not in self.takes:
            if delivery.state is State.PROCESSING:
                return IN_FLIGHT
            return self.refusals.get(delivery.state, f"is {delivery.state}{self.otherwise}")
        return self.change(delivery, now)

    def line(self, now: datetime) -> Attempt | None:
        """Return the line that it adds to a delivery's history."""
        return None if self.history is None else Attempt(now, "operator", self.history, None, "by hand", 0.0)


def _start_over(delivery: Delivery, now: datetime) -> Outcome | str:
    if delivery.state in FINAL and delivery.ambiguous:
        return _MAY_HAVE_ARRIVED
    if delivery.state is State.ABANDONED and delivery.copy:
        return "is a copy that was given up; the first mail may have arrived: `mail-sender queue resend` sends one"
    if delivery.deadline <= now:
        return _too_late(delivery.deadline)
    outcome = delivery.queued(now)
    return outcome if delivery.state is State.QUEUED else replace(outcome, attempts=0)


def _give_up(delivery: Delivery, now: datetime) -> Outcome:
    given_up = replace(delivery.queued(now), state=State.ABANDONED)
    # What was unknown keeps saying that it may have arrived.
    return replace(given_up, ambiguous=max(1, delivery.ambiguous)) if delivery.state is State.UNKNOWN else given_up


def _copy(delivery: Delivery, now: datetime) -> Outcome | str:
    if delivery.state is State.ABANDONED and not (delivery.ambiguous or delivery.copy):
        return "is abandoned and was never accepted: `mail-sender queue retry` queues it again"
    if delivery.deadline <= now:
        return _too_late(delivery.deadline)
    return Outcome(State.QUEUED, now, 0, 0, delivery.copy + 1)


def _too_late(deadline: datetime) -> str:
    return f"is too late: its link or its time in the queue ended at {deadline.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


VERBS: Mapping[str, Verb] = MappingProxyType(
    {
        "list": Verb(),
        "show": Verb(),
        "status": Verb(seconds=ANSWER_SECONDS, is_of_queue=False),
        "health": Verb(seconds=ANSWER_SECONDS, is_of_queue=False),
        "retry": Verb(
            takes=frozenset({State.QUEUED, State.HELD, State.FAILED, State.ABANDONED, State.EXPIRED}),
            change=_start_over,
            seconds=CHANGE_SECONDS,
            refusals={
                State.SENT: "is sent: `mail-sender queue resend` sends a second copy",
                State.WITHDRAWN: "was marked or deleted on the server: `mail-sender queue resend` sends it",
                State.UNKNOWN: f"{_MAY_HAVE_ARRIVED}, `abandon` ends it",
            },
            history="retried",
        ),
        "flush": Verb(
            takes=frozenset({State.QUEUED, State.HELD}),
            change=Delivery.queued,
            seconds=CHANGE_SECONDS,
            # It changes nothing but the time, of thousands of deliveries at once: it adds no line to their history.
        ),
        "abandon": Verb(
            takes=frozenset({State.QUEUED, State.HELD, State.UNKNOWN}),
            change=_give_up,
            seconds=CHANGE_SECONDS,
            otherwise=": there is nothing to give up",
            history="given up",
        ),
        "resend": Verb(
            takes=frozenset({State.SENT, State.UNKNOWN, State.WITHDRAWN, State.ABANDONED}),
            change=_copy,
            seconds=CHANGE_SECONDS,
            otherwise=": only what is sent, unknown, withdrawn, or abandoned and may have arrived, can be resent",
            history="resent",
        ),
    }
)
