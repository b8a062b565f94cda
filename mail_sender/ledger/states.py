"""The states of a delivery, and the moves between them (DESIGN, section 2)."""

from enum import StrEnum


class State(StrEnum):
    """Where one message stands for one recipient."""

    QUEUED = "queued"
    PROCESSING = "processing"
    SENT = "sent"
    FAILED = "failed"
    EXPIRED = "expired"
    UNKNOWN = "unknown"
    HELD = "held"


FINAL = frozenset({State.SENT, State.FAILED, State.EXPIRED, State.UNKNOWN})
"""States that nothing leaves by itself."""

_MOVES = frozenset(
    {
        (State.QUEUED, State.PROCESSING),
        (State.QUEUED, State.EXPIRED),
        (State.QUEUED, State.HELD),
        (State.QUEUED, State.FAILED),
        (State.QUEUED, State.UNKNOWN),
        (State.HELD, State.EXPIRED),
        (State.HELD, State.UNKNOWN),
        (State.PROCESSING, State.QUEUED),
        (State.PROCESSING, State.SENT),
        (State.PROCESSING, State.FAILED),
        (State.PROCESSING, State.UNKNOWN),
    }
)


class IllegalMove(Exception):
    """A delivery was to go from one state to another that does not follow it: a fault of this program."""


def check(old: State, new: State) -> None:
    """Raise `IllegalMove` where no delivery may go from the old state to the new one."""
    if (old, new) not in _MOVES:
        raise IllegalMove(f"{old} -> {new}")
