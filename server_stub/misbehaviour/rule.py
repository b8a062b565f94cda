"""A rule of misbehaviour: which events it looks at, on which of them it acts, what it does, and how often it did.

Every rule counts the events that it looks at, even if another rule acted. Rules are evaluated from the top of
the file. Evaluation stops at the first rule that answers or disconnects. Rules that only delay or change
something let the next ones act as well.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, Self, TypeVar

from server_stub.misbehaviour.toml_table import Table

TURN_KEYS = ("after", "every", "times")


class Act(Protocol):
    """What a rule does."""

    @property
    def ends(self) -> bool:
        """True if no further rule may act."""
        ...


ActT = TypeVar("ActT", bound=Act)
EventT = TypeVar("EventT")


@dataclass(frozen=True)
class Turns:
    """Of the times counted from 1: leave out the first `after`, act on each `every`th then, on `times` of them."""

    after: int = 0
    every: int = 1
    times: int | None = None

    @classmethod
    def read(cls, table: Table) -> Self:
        """Read the three keys. Raises StubError."""
        return cls(table.whole("after") or 0, table.whole("every") or 1, table.whole("times"))

    def due(self, seen: int, acted: int) -> bool:
        """Tell whether time number `seen` is one to act on, after `acted` acts."""
        beyond = seen - self.after
        return beyond > 0 and beyond % self.every == 0 and (self.times is None or acted < self.times)

    @property
    def words(self) -> str:
        """In words: `2 times, each 3rd time, after the first 5`."""
        often = {None: "", 1: "once"}.get(self.times, f"{self.times} times")
        each = "" if self.every == 1 else f"each {_ordinal(self.every)} time"
        after = f"after the first {self.after}" if self.after else ""
        return ", ".join(filter(None, [often, each, after])) or "every time"


def _ordinal(number: int) -> str:
    teen = 10 < number % 100 < 20
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


@dataclass
class Rule(Generic[EventT, ActT]):
    """One rule. `subject` and what it does are said in words, for people; `seen` and `acted` are its counts."""

    subject: str
    deed: str
    looks_at: Callable[[EventT], bool]
    turns: Turns
    act: ActT
    seen: int = 0
    acted: int = 0

    @property
    def words(self) -> str:
        """The whole rule in one line."""
        return f"{self.subject}: {self.deed} ({self.turns.words})"

    def is_due(self, event: EventT) -> bool:
        """Count `event` if this rule looks at it, and tell whether to act."""
        if not self.looks_at(event):
            return False
        self.seen += 1
        return self.turns.due(self.seen, self.acted)


def due(rules: Iterable[Rule[EventT, ActT]], event: EventT) -> list[ActT]:
    """Return what to do now, in order; every rule has counted."""
    acts: list[ActT] = []
    for rule in rules:
        if rule.is_due(event) and not any(act.ends for act in acts):
            rule.acted += 1
            acts.append(rule.act)
    return acts
