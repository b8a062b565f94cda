"""A flush: what was queued when the operator asked, watched until each had its attempt, or the way is seen shut.

Each of these deliveries is known by its number and the claim that the order left. It had its attempt as soon as it
is anything else than queued under that claim, or under way. What an attempt says of the lane, the history tells: the
rest then waits for the lane to open, and so need nobody who watches.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

from mail_sender.clock import Clock
from mail_sender.ledger.base import Entry, Ledger, Query
from mail_sender.ledger.states import State

PATIENCE = 30.0
"""Seconds without any attempt, after which nobody waits longer."""
PATIENCE_WHEN_SHUT = 3.0
"""The same, once a delivery was turned back at the lane: others may still test it."""
LOOK_AGAIN = 0.5
_PAGE = 500
_REST = 4
"""Times as long as a look took, the ledger is left to the sender."""
_WORDS = {"deferred": "not taken now, tried again later", "uncertain": "cut off at the dot, may have arrived"}


@dataclass(frozen=True, slots=True)
class Progress:
    """How many of how many had their attempt."""

    count: int
    total: int


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of how many, in words; how many were not tried; what shuts the lane, if that is seen."""

    total: int
    became: Counter[str] = field(default_factory=Counter)
    left: int = 0
    breaker: str | None = None


class Flush:
    """One flush; `waiting` holds the numbers of its deliveries, each with the claim that the order has left."""

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self.waiting: dict[int, int] = {}
        self._ledger = ledger
        self._clock = clock
        self._became: Counter[str] = Counter()
        self._breaker: str | None = None
        self._total = 0

    @property
    def result(self) -> Flushed:
        """What was seen so far."""
        return Flushed(self._total, self._became, len(self.waiting), self._breaker)

    async def watch(self) -> AsyncIterator[Progress]:
        """Look at the deliveries again and again, until none waits or patience ends; yield after each look."""
        self._total = len(self.waiting)
        changed = self._clock.monotonic()
        while self.waiting:
            began, before = self._clock.monotonic(), len(self.waiting)
            await self._look()
            yield Progress(self._total - len(self.waiting), self._total)
            now = self._clock.monotonic()
            changed = now if len(self.waiting) < before else changed
            if now - changed >= (PATIENCE_WHEN_SHUT if self._breaker else PATIENCE):
                return
            if self.waiting:
                await self._clock.wait(asyncio.Event(), max(LOOK_AGAIN, _REST * (now - began)))

    async def _look(self) -> None:
        first, before = min(self.waiting), max(self.waiting) + 1
        seen: set[int] = set()
        while before > first and (entries := await self._ledger.find(Query(), _PAGE, before)):
            before = entries[-1].number
            for entry in entries:
                seen.add(entry.number)
                self._judge(entry)
        for number in [number for number in self.waiting if number not in seen and number >= first]:
            self._end(number, "gone")

    def _judge(self, entry: Entry) -> None:
        delivery = entry.delivery
        claim = self.waiting.get(entry.number)
        if claim is None or delivery.state is State.PROCESSING:
            return
        if delivery.state is not State.QUEUED:
            self._end(entry.number, delivery.state.value)
        elif delivery.claim != claim:
            self._turned_back(entry)

    def _turned_back(self, entry: Entry) -> None:
        """Take in an attempt after which a delivery is queued again."""
        last = entry.history[-1] if entry.history else None
        if last is not None and last.verdict == "relay_down":
            self._breaker = f"{last.stage}: {last.reply}"
        verdict = last.verdict if last else "tried"
        self._end(entry.number, "waiting for the relay" if verdict == "relay_down" else _WORDS.get(verdict, verdict))

    def _end(self, number: int, what: str) -> None:
        del self.waiting[number]
        self._became[what] += 1
