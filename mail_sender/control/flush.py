"""A flush: the deliveries that were made due are watched until each had its attempt, or the relay proves unusable.

1. Each delivery is known by its number and by the claim that the flush left. It had its attempt as soon as it is
   neither queued under that claim nor being sent.
2. Its history says whether the attempt failed because the relay is unusable. Then the others wait for the relay,
   which takes as long as it takes, and the watch ends after a few seconds more.
3. A flush lifts no limit of the configuration. What the limit for a recipient holds back is not watched any longer;
   while a limit holds back all mail, the watch ends after a few seconds without an attempt.
4. The watch also ends if nothing was tried for half a minute, as when the sender cannot ask the identity server.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from mail_sender.clock import Clock
from mail_sender.control import held_back, response
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit
from mail_sender.ledger.base import Entry, Ledger, Query
from mail_sender.ledger.states import State
from mail_sender.observe.words import deliveries
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.limits import Limit

PATIENCE = 30.0
"""Seconds without any attempt, after which nobody waits longer."""
PATIENCE_WHEN_DOWN = 3.0
"""The same, once an attempt has failed because of the relay: another delivery may still be tried as its probe.

And while a limit holds mail back.
"""
READ_EVERY = 0.5
"""Seconds between two readings of the ledger, at least."""
_REST = 4
"""Times as long as a reading took, the ledger is left to the sender."""
_PAGE = 500
_WAITS_FOR_RELAY = "waiting for the relay"
_HELD_BACK = "held back by a limit"
_WORDS = {
    "relay_down": _WAITS_FOR_RELAY,
    "deferred": "refused for now, tried again later",
    "uncertain": "cut off at the dot, may have arrived",
}


@dataclass(frozen=True, slots=True)
class Flushed:
    """What became of how many, in words; how many were not tried; why the relay is unusable, if that was seen.

    `limit` says which limit holds mail back, if one does.
    """

    total: int
    became: Counter[str] = field(default_factory=Counter)
    left: int = 0
    relay_fault: str | None = None
    limit: str | None = None

    @property
    def exit_code(self) -> Exit:
        """Success if mail went out and none waits for the relay; "failed" if none is tried again automatically."""
        waits = self.left or self.became[_WAITS_FOR_RELAY] or self.became[_HELD_BACK]
        if self.became[State.SENT] and not waits:
            return Exit.DONE
        return Exit.TEMPORARY if waits or any(self.became[words] for words in _WORDS.values()) else Exit.FAILED

    def __str__(self) -> str:
        """Give the sentence that sums it up."""
        parts = [f"{count} {what}" for what, count in self.became.most_common()]
        text = f"{deliveries(self.total)}: {', '.join(parts) or 'none was tried'}"
        if self.relay_fault:
            text += f"; the relay is unusable ({self.relay_fault})"
        if self.limit:
            text += f"; {self.limit}, and a flush does not lift it"
        if not self.left:
            return text
        why = "" if self.relay_fault or self.limit else "; no attempt was seen for a while: read the sender's log"
        return f"{text}; {self.left} still queued, and tried again automatically{why}"


class Flush:
    """One flush of deliveries; `waiting` holds their numbers, each with the claim that it has to wait under.

    `held_back` returns what limits hold back now.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        waiting: Mapping[int, int],
        held_back: Callable[[], Sequence[HeldBack]] = tuple,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._waiting = dict(waiting)
        self._total = len(waiting)
        self._became: Counter[str] = Counter()
        self._relay_fault: str | None = None
        self._held_back = held_back
        self._limit: str | None = None

    @property
    def result(self) -> Flushed:
        """What was seen so far."""
        return Flushed(self._total, self._became, len(self._waiting), self._relay_fault, self._limit)

    async def watch(self) -> AsyncIterator[ResponseLine]:
        """Read the deliveries again and again, until none waits or patience ends; yield the progress each time."""
        changed = self._clock.monotonic()
        while self._waiting:
            began, before = self._clock.monotonic(), len(self._waiting)
            await self._read()
            yield response.progress(self._total - len(self._waiting), self._total)
            now = self._clock.monotonic()
            changed = now if len(self._waiting) < before else changed
            of_all_mail = [held.reason for held in self._held_back() if held.limit is not Limit.PER_RECIPIENT]
            self._limit = next(iter(of_all_mail), self._limit) if self._waiting else self._limit
            if now - changed >= (PATIENCE_WHEN_DOWN if self._relay_fault or of_all_mail else PATIENCE):
                return
            if self._waiting:
                await self._clock.wait(asyncio.Event(), max(READ_EVERY, _REST * (now - began)))

    async def _read(self) -> None:
        first, before = min(self._waiting), max(self._waiting) + 1
        seen: set[int] = set()
        while before > first and (entries := await self._ledger.find(Query(), _PAGE, before)):
            before = entries[-1].number
            for entry in entries:
                seen.add(entry.number)
                self._judge(entry)
        for number in [number for number in self._waiting if number not in seen and number >= first]:
            self._end(number, "gone")

    def _judge(self, entry: Entry) -> None:
        delivery = entry.delivery
        claim = self._waiting.get(entry.number)
        if claim is None or delivery.state is State.PROCESSING:
            return
        if delivery.state is not State.QUEUED:
            self._end(entry.number, delivery.state.value)
        elif delivery.claim != claim:
            self._queued_again(entry)
        elif held := held_back.of(entry, (), self._clock.now()):
            self._limit = held["reason"]
            self._end(entry.number, _HELD_BACK)

    def _queued_again(self, entry: Entry) -> None:
        last = entry.history[-1] if entry.history else None
        verdict = last.verdict if last else "tried"
        if last is not None and verdict == "relay_down":
            self._relay_fault = f"{last.stage}: {last.reply}"
        self._end(entry.number, _WORDS.get(verdict, verdict))

    def _end(self, number: int, what: str) -> None:
        del self._waiting[number]
        self._became[what] += 1
