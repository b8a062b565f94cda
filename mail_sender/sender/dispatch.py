"""Dispatch: carry what is due to the relay, up to four letters at a time.

    due -> plan -> letter (read again -> render -> deliver -> settle)

1. First of all, what was under way when the last process ended is settled: what was before its dot is queued again
   and not counted, what was at its dot is ambiguous. What was held is tried again.
2. The plan takes from what is due as many deliveries as there is room for. The lane may say that letters have to
   wait; then one goes as a probe when its time comes.
3. Every letter under way is a task of its own (`post`), so that one that hangs holds up nothing but itself.
4. Where the ledger cannot be written nothing new begins; an outcome that it did not take is offered again first.
"""

import asyncio
from contextlib import suppress
from datetime import datetime

from mail_sender.backoff import IDLE_WAIT, LEDGER_WAIT
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Delivery, Fenced, Query
from mail_sender.ledger.states import IllegalMove, State
from mail_sender.sender import events, settle
from mail_sender.sender.attempt import Parts, Post
from mail_sender.sender.breaker import Breaker
from mail_sender.sender.plan import Expire, Send, Step, plan
from mail_sender.sender.snapshot import Snapshot

SHORTEST_WAIT = 0.05
"""Seconds between two looks at what is due, at least."""

_TOGETHER = 64
_ALL = 2_000  # deliveries that are looked through for one that a lane in doubt may take
_MOST_HELD = 10_000


class Dispatcher:
    """The loop that mails. `bell` is to be rung when there may be something to do."""

    def __init__(self, post: Post, parts: Parts, snapshot: Snapshot, breaker: Breaker, clock: Clock) -> None:
        self.bell = asyncio.Event()
        self._post = post
        self._ledger = parts.ledger
        self._in_flight = parts.in_flight
        self._snapshot = snapshot
        self._breaker = breaker
        self._clock = clock
        self._released = False
        self._line: list[Delivery] = []
        self._mails: set[asyncio.Task[None]] = set()

    async def run(self, stop: asyncio.Event) -> None:
        """Mail until the stop event is set; returns when nothing is under way any more."""
        async with asyncio.TaskGroup() as mails:
            while not stop.is_set():
                self.bell.clear()
                wait = await self._turn(mails)
                if not self._mails:
                    await self._post.rest()
                if not stop.is_set():
                    await self._clock.wait(self.bell, wait)

    async def _turn(self, mails: asyncio.TaskGroup) -> float:
        """Start what can be started; return the seconds until there may be more."""
        try:
            if self._post.shut_for == 0:
                await self._post.catch_up()
                if self._snapshot.at is not None:  # before the first poll, the clock may be a day wrong
                    await self._recover()
            wait = await self._start(mails)
        except LedgerFault as fault:
            self._post.fail(fault)
            return LEDGER_WAIT
        if self._post.shut_for == 0 and not self._mails:  # a letter has its claim still to be written
            self._snapshot.conditions.ledger.up(self._clock.now())
        return wait

    async def _recover(self) -> None:
        """Settle what somebody began who is gone, once, and again where the ledger has failed since."""
        now = self._clock.now()
        if self._post.may_have_lost:
            ours = self._in_flight.keys  # before the answer comes, some of it may have ended
            for delivery in await self._ledger.interrupted():
                if delivery.key not in ours:
                    outcome = settle.interrupted(delivery, now)
                    events.interrupted(delivery, outcome.state)
                    with suppress(Fenced, IllegalMove):
                        await self._ledger.settle(delivery, outcome, now, settle.lost_track(delivery, now))
            self._post.may_have_lost = False
        if not self._released:
            held = await self._ledger.find(Query(states=frozenset({State.HELD})), _MOST_HELD)
            await asyncio.gather(*(self._release(entry.delivery, now) for entry in held))
            self._released = True

    async def _release(self, held: Delivery, now: datetime) -> None:
        with suppress(Fenced, IllegalMove):
            await self._ledger.settle(held, settle.put_off(held, now), now)

    async def _start(self, mails: asyncio.TaskGroup) -> float:
        while self._snapshot.at is not None and self._post.shut_for == 0:
            steps = self._next_steps() if self._breaker.is_closed else []
            if not steps:
                await self._read_on()
                steps = self._next_steps()
            if not any([await self._take(step, mails) for step in steps]):
                return await self._pause(refused=bool(steps))
        return self._post.shut_for or IDLE_WAIT

    def _next_steps(self) -> list[Step]:
        """Take the next steps from the line."""
        # A lane in doubt may take one that stands further back.
        room = len(self._line) if self._room and self._breaker.in_doubt else self._room
        return plan(self._line, self._in_flight.mailboxes, room, self._clock.now())

    async def _read_on(self) -> None:
        """Read the line anew. What stands in it may be old news when its turn comes: then its claim fails."""
        limit = _ALL if self._breaker.in_doubt else _TOGETHER
        self._line = list(await self._ledger.due(self._clock.now(), limit, self._in_flight.recipients))

    @property
    def _room(self) -> int:
        return self._breaker.capacity(self._clock.monotonic()) if self._snapshot.may_send else 0

    async def _take(self, step: Step, mails: asyncio.TaskGroup) -> bool:
        """Take a step; say whether it could be taken."""
        match step:
            case Expire(delivery):
                self._line.remove(delivery)
                await self._post.expire(delivery)
                return True
            case Send(delivery):
                permit = self._breaker.acquire(delivery.key, self._clock.monotonic())
                if permit is not None:
                    self._line.remove(delivery)
                    self._in_flight.mails[delivery.key] = delivery
                    mail = mails.create_task(self._post.carry(delivery, permit))
                    self._mails.add(mail)
                    mail.add_done_callback(lambda mail: self._arrived(mail, delivery))
                return permit is not None

    def _arrived(self, mail: asyncio.Task[None], delivery: Delivery) -> None:
        self._mails.discard(mail)
        self._in_flight.mails.pop(delivery.key, None)
        self.bell.set()

    async def _pause(self, *, refused: bool) -> float:
        """Return the seconds until the lane opens for what it refused, or the next delivery is due."""
        if self._room == 0:
            return IDLE_WAIT
        waits = [IDLE_WAIT]
        if refused and (retry_in := self._breaker.retry_in(self._clock.monotonic())) is not None:
            waits.append(retry_in)
        now = self._clock.now()
        if (at := await self._ledger.next_due(now)) is not None:
            waits.append((at - now).total_seconds())
        return max(min(waits), SHORTEST_WAIT)
