"""Observations: what the flow tells those who watch it, one small record for each thing that happened.

The flow calls `Parts.observe` with them and waits for nothing; `observe/` makes status, metrics and alerts of them.
No observation holds an address, a link or a secret. All times are aware, all durations are seconds.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from mail_sender.ledger.base import Attempt
from mail_sender.ledger.states import State
from mail_sender.verdict import Stage


@dataclass(frozen=True, slots=True)
class Polled:
    """The queue was listed: so many messages are ready, so many entries cannot be read."""

    at: datetime
    seconds: float
    ready: int
    malformed: int


@dataclass(frozen=True, slots=True)
class PollFailed:
    """The queue could not be listed, or what is new could not be taken up; `kind` is the fault's."""

    at: datetime
    seconds: float
    kind: str


@dataclass(frozen=True, slots=True)
class Followed:
    """Another replica polls, and a look at the server was good: mail can go."""

    at: datetime
    seconds: float


@dataclass(frozen=True, slots=True)
class NextPoll:
    """The next poll comes at that time; None: the schedule has no more ticks."""

    at: datetime | None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A mail of this kind of message was made."""

    kind: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Spoken:
    """One step of a conversation with the relay has ended, well or not."""

    stage: Stage
    seconds: float


@dataclass(frozen=True, slots=True)
class Committed:
    """The ledger has written a `dot` or an `outcome`."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Recorded:
    """The ledger has what became of a delivery: its state now, and the line of its history, if there is one.

    `waited` counts from the time at which the message was to be sent.
    """

    at: datetime
    kind: str
    state: State
    attempt: Attempt | None
    waited: float


@dataclass(frozen=True, slots=True)
class Marked:
    """A message was marked as sent on the server, or could not be."""

    at: datetime
    seconds: float
    done: bool


Observation = Polled | PollFailed | Followed | NextPoll | Rendered | Spoken | Committed | Recorded | Marked
Observe = Callable[[Observation], None]


def unobserved(_: Observation) -> None:
    """Drop an observation: nobody watches."""
