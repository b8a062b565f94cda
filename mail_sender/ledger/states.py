"""The states of a delivery, and the moves between them (docs/delivery.md, The states).

A move that the flow makes by itself never leaves a final state; only the operator's commands do. The diagram in
`docs/delivery.md` and the schema name the same states, which a test compares.
"""

from enum import StrEnum


class State(StrEnum):
    """Where one message stands for one recipient."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SENT = "sent"
    FAILED = "failed"
    ABANDONED = "abandoned"
    EXPIRED = "expired"
    WITHDRAWN = "withdrawn"
    UNKNOWN = "unknown"
    HELD = "held"


OPEN = frozenset({State.QUEUED, State.PROCESSING, State.HELD})
FINAL = frozenset(State) - OPEN
"""States that nothing leaves by itself."""

_GIVEN_UP = (State.FAILED, State.EXPIRED, State.WITHDRAWN, State.UNKNOWN)

MOVES = frozenset(
    {
        (State.QUEUED, State.PROCESSING),
        (State.QUEUED, State.QUEUED),
        (State.QUEUED, State.HELD),
        *((State.QUEUED, end) for end in _GIVEN_UP),
        (State.HELD, State.QUEUED),
        *((State.HELD, end) for end in _GIVEN_UP if end is not State.FAILED),
        (State.PROCESSING, State.QUEUED),
        (State.PROCESSING, State.SENT),
        (State.PROCESSING, State.ABANDONED),
        (State.PROCESSING, State.FAILED),
        (State.PROCESSING, State.UNKNOWN),
        (State.PROCESSING, State.HELD),
    }
)
"""What the flow does by itself."""

COMMANDS = frozenset(
    {
        (State.QUEUED, State.QUEUED),
        *((given_up, State.QUEUED) for given_up in (State.HELD, State.FAILED, State.ABANDONED, State.EXPIRED)),
        *((copied, State.QUEUED) for copied in (State.SENT, State.UNKNOWN, State.WITHDRAWN)),
        *((waiting, State.ABANDONED) for waiting in (State.QUEUED, State.HELD, State.UNKNOWN)),
    }
)
"""What the operator may do: flush and retry, resend, abandon."""


class ChangedMeanwhile(Exception):
    """The delivery is not any more what it was when it was read, or cannot become what it was to become.

    Nothing was written. Usually an operator's command came in between.
    """


class IllegalMove(ChangedMeanwhile):
    """A delivery was to go from one state to another that does not follow it."""


def check(old: State, new: State, moves: frozenset[tuple[State, State]] = MOVES) -> None:
    """Raise `IllegalMove` where no delivery may go from the old state to the new one."""
    if (old, new) not in moves:
        raise IllegalMove(f"{old} -> {new}")
