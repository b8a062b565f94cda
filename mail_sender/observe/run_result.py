"""What one run achieved (`mail-sender run --once`): what became of deliveries in it, what is left, the exit code.

    exit code   when
    1           a delivery was given up in this run (failed, abandoned, expired), one is held or unknown, or an entry
                of the queue cannot be read: somebody has to look
    75          otherwise, if something still waits: a delivery, a mark on the server, or the poll itself
    0           otherwise: all is done

What waits is found by the next run as well, and what was given up is not; so 1 counts before 75.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC

from mail_sender.errors import Exit
from mail_sender.ledger.states import FINAL, State
from mail_sender.ledger.summary import Summary
from mail_sender.sender.observation import Observation, Polled, Recorded

_GIVEN_UP = (State.FAILED, State.ABANDONED, State.EXPIRED)
_LOOK = (State.HELD, State.UNKNOWN)


@dataclass(slots=True)
class Run:
    """What was observed of a run so far: which deliveries ended how, how many were deferred, what its poll saw."""

    ended: Counter[State] = field(default_factory=Counter)
    deferred: int = 0
    malformed: int = 0
    has_polled: bool = False

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow."""
        match seen:
            case Polled(malformed=malformed):
                self.has_polled, self.malformed = True, malformed
            case Recorded(state=state) if state in FINAL:
                self.ended[state] += 1
            case Recorded(attempt=attempt) if attempt is not None and attempt.verdict == "deferred":
                self.deferred += 1
            case _:
                pass


@dataclass(frozen=True, slots=True)
class RunResult:
    """A run that has ended, and the ledger after it; the latter is None if it cannot be read."""

    run: Run
    left: Summary | None
    is_dry: bool = False

    @property
    def exit_code(self) -> Exit:
        """The exit code, as the table says."""
        if self._given_up or self.run.malformed or any(self._states[state] for state in _LOOK):
            return Exit.FAILED
        if self.left is None or self._waiting or self.left.unmarked or not self.run.has_polled:
            return Exit.TEMPORARY
        return Exit.DONE

    @property
    def counts(self) -> dict[str, object]:
        """The fields of the last line of the log."""
        since = self.left.oldest_waiting_at if self.left else None
        return {
            "written" if self.is_dry else "sent": self.run.ended[State.SENT],
            "deferred": self.run.deferred,
            "failed": self._given_up,
            "waiting": self._waiting,
            "waiting_since": f"{since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if since and self._waiting else None,
        }

    def __str__(self) -> str:
        """Say in one sentence what is left to do."""
        parts = [text for count, text in self._remarks() if count]
        return "; ".join(parts) or "all is done"

    def _remarks(self) -> list[tuple[int, str]]:
        states, unmarked = self._states, self.left.unmarked if self.left else 0
        held, unknown = states[State.HELD], states[State.UNKNOWN]
        malformed = self.run.malformed
        return [
            (not self.run.has_polled, "the queue could not be polled"),
            (self.left is None, "the ledger cannot be read"),
            (self._waiting, "what waits is tried by the next run"),
            (unmarked, f"{unmarked} sent, but not marked on the server: the next run marks them"),
            (held, f"{held} held: correct the template, or update mail-sender"),
            (unknown, f"{unknown} may have arrived: `mail-sender queue list --status unknown` shows them"),
            (malformed, f"{malformed} of the queue's entries cannot be read: the log names them"),
        ]

    @property
    def _given_up(self) -> int:
        return sum(self.run.ended[state] for state in _GIVEN_UP)

    @property
    def _waiting(self) -> int:
        return self._states[State.QUEUED] + self._states[State.PROCESSING]

    @property
    def _states(self) -> Mapping[State, int]:
        return Counter() if self.left is None else self.left.states
