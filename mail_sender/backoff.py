"""How long to wait, and why: every wait of the sender, in one place.

The waits of one delivery are `timedelta`s, since the ledger stores when it is due. The waits of a loop or of the
circuit breaker are seconds on the monotonic clock. A `Backoff` doubles from its first wait to its longest.

A delivery that the ledger finds due later than `LONGEST_WAIT` from now was written by a clock that ran ahead: the
ledger returns it at once. So `LONGEST_WAIT` must include each new wait of a delivery.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

Dice = Callable[[], float]
"""A random number, 0 <= n < 1."""


@dataclass(frozen=True, slots=True)
class Backoff:
    """A wait that doubles: the first one and the longest one, in seconds."""

    first: float
    most: float

    def longer(self, wait: float = 0.0) -> float:
        """Return the wait that follows one: the first after none, then twice as long, within the bounds."""
        return min(max(wait * 2, self.first), self.most)


# One delivery

RETRY_WAITS = tuple(timedelta(seconds=seconds) for seconds in (30, 120, 360, 720, 1200))
"""After the relay's first, second ... temporary refusal (4xx); the last one repeats.

Greylisting usually ends after 5, 15 or 30 minutes, and a link often lives for an hour: with these waits the last
attempt comes after the one and before the other.
"""
JITTER = 0.2
"""A retry wait is up to this part of it shorter or longer, so that mails refused together do not return together."""
LONGEST_ASKED = timedelta(minutes=30)
"""A relay that says how long to wait is believed, up to this."""
LAST_CHANCE = timedelta(minutes=2)
"""A retry wait that would outlast the delivery's deadline ends this long before the deadline."""
AMBIGUOUS_WAIT = timedelta(minutes=2)
"""After a cut at the final dot, which the relay may have taken: time for it to say so before the copy goes."""
STEP_BACK = timedelta(minutes=2)
"""After the connection broke during this mail: others go first, as this mail may be what breaks it."""
MAKE_WAY = timedelta(seconds=10)
"""After the relay wanted mail more slowly: others go first, in case that it means this mail."""
PUT_OFF = timedelta(seconds=30)
"""After the identity server could not give the delivery's message."""
HELD_BACK_WAIT = timedelta(minutes=30)
"""After a limit for one recipient held a mail back, at most: then it is looked at again."""
IN_TIME = timedelta(minutes=5)
"""A limit holds no mail back that would go later than so long before its deadline: its link must still be good."""

_MARGIN = timedelta(minutes=5)
_WAITS = (max(RETRY_WAITS) * (1 + JITTER), LONGEST_ASKED, AMBIGUOUS_WAIT, STEP_BACK, PUT_OFF, HELD_BACK_WAIT)
LONGEST_WAIT = max(_WAITS) + _MARGIN
"""No delivery waits longer than this for its next attempt."""


def retry_wait(attempts: int, dice: Dice) -> timedelta:
    """Return how long a delivery waits that was refused for now, after so many earlier attempts that counted."""
    wait = RETRY_WAITS[min(attempts, len(RETRY_WAITS) - 1)]
    return wait * (1 + JITTER * (2 * dice() - 1))


# The relay, until the circuit breaker lets a probe go

NETWORK = Backoff(5.0, 30.0)
"""No connection, a cut, a time-out, 421: it usually passes by itself."""
NEEDS_A_PERSON = Backoff(30.0, 300.0)
"""A certificate, STARTTLS, the greeting, a refused sender: it stays until somebody repairs it."""
SUSPICION = Backoff(30.0, 60.0)
"""Refusals that may be the fault of our own configuration."""
ALLOWANCE = Backoff(60.0, 600.0)
"""The account has used up what it may send for now: each try may count against it, too."""
LOGIN = Backoff(60.0, 900.0)
"""A refused login: each further try may help to lock the account."""

PACE = Backoff(0.25, 32.0)
"""Between the starts of two mails, to a relay that wants them more slowly."""

ALERT_WAITS = Backoff(5.0, 300.0)
"""Before an alert is offered again to a receiver that did not take one."""

# The ledger, the identity server, and loops without work

LEDGER_WAIT = 5.0
"""Seconds between two tries of a ledger that fails."""
OTHERS_ENDED = 5.0
"""Until it is looked again for what other processes have left behind in a ledger that is shared."""
LAST_WRITES = 5.0
"""Seconds at a stop for which the ledger is offered what it did not take."""
MARK_WAITS = Backoff(1.0, 30.0)
"""Before a message is marked as sent again, after the identity server did not take the mark."""
ANOTHER_POLLS = Backoff(6.0, 30.0)
"""Before a replica whose poll failed polls again, where another one can: that one goes first, and has two beats."""
LOOK_WAITS = Backoff(5.0, 60.0)
"""Before a replica that follows looks again at a server that it could not use."""
IDLE_WAIT = 60.0
"""Seconds after which a loop looks for work although no bell rang."""
FRESH = timedelta(minutes=2)
"""How old a poll may be for its messages to be mailed without reading them again."""
