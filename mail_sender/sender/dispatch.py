"""Dispatch: starts an attempt for each delivery that is due, as many at a time as the relay has connections.

    due -> plan -> attempt (current message -> mail -> claim -> handover -> end)

1. First, deliveries that were in flight when the last process ended are settled (`ledger_gate`), and held deliveries
   are queued again.
2. The plan takes as many due deliveries as the relay has capacity for, and as the operator's limits let go
   (`reputation_gate`). They are read ahead (`read_ahead`). While the breaker is open, one goes as a probe when its
   time comes; where senders share a ledger, one for all of them (`shared_breakers`).
3. Every attempt is its own task (`attempt`), so that a hanging attempt delays no other.
4. When the relay has answered, the next mail begins while the outcome is being written. An address is free again once
   that is done. No more outcomes are owed than there are connections, as the next dot is written after them.
5. While the ledger gate is closed, nothing new begins. Outcomes that the ledger could not write are offered first.
"""

import asyncio
from collections.abc import Iterable
from contextlib import suppress

from mail_sender.backoff import IDLE_WAIT
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Delivery, Query
from mail_sender.ledger.states import ChangedMeanwhile, State
from mail_sender.sender import attempt_end, settle
from mail_sender.sender.attempt import Attempts
from mail_sender.sender.attempt_end import HELD_BACK
from mail_sender.sender.gates import Gates
from mail_sender.sender.parts import Parts
from mail_sender.sender.plan import Expire, PutOff, Refuse, Send, Step, in_turn, plan
from mail_sender.sender.read_ahead import ReadAhead
from mail_sender.sender.relays import Grant
from mail_sender.sender.snapshot import Snapshot

SHORTEST_WAIT = 0.05
"""Seconds between two readings of what is due, at least."""
TURN_SECONDS = 120.0
"""Seconds within which a turn ends that does not wait: the ledger has a time-out for each call."""
SOON = 3.0
"""Seconds until the next mail, at most, for which a sender stays that has made its last poll."""
KEPT_OPEN = 5.0
"""Seconds until the next mail for which a connection is kept: one that is opened anew costs a login."""

_TOGETHER = 256
_ALL = 2_000  # deliveries among which one is looked for that a relay gate in doubt may let through
_MOST_HELD = 10_000


class Dispatcher:
    """The loop that mails. `bell` is to be rung when there may be something to do."""

    def __init__(
        self,
        attempts: Attempts,
        gates: Gates,
        parts: Parts,
        snapshot: Snapshot,
        clock: Clock,
    ) -> None:
        self.bell = asyncio.Event()
        self._attempts = attempts
        self._gates = gates
        self._parts = parts
        self._heartbeat = parts.heartbeats.of("dispatch", clock)
        self._snapshot = snapshot
        self._clock = clock
        self._held_are_queued = False
        self._ahead = ReadAhead(parts.ledger)
        self._read_at = float("-inf")
        self._running: set[asyncio.Task[bool]] = set()

    async def run(self, stop: asyncio.Event, polled: asyncio.Event) -> None:
        """Mail until the stop event is set, or the last poll was made (`polled`) and nothing more is due soon.

        Returns when no attempt is running, and each outcome is written.
        """
        async with asyncio.TaskGroup() as group:
            while not stop.is_set():
                self.bell.clear()
                no_poll_follows = polled.is_set()
                self._heartbeat.within(TURN_SECONDS)
                wait = await self._turn(group)
                nothing_happened = not self._running and not self.bell.is_set()  # since the turn began
                if nothing_happened and wait > SOON and no_poll_follows:
                    break
                if not self._running and wait > KEPT_OPEN:
                    await self._parts.relays.close()
                if not stop.is_set():
                    self._heartbeat.within(wait)
                    await self._clock.wait(self.bell, min(wait, self._gates.ledger.looks_again_after))
            self._heartbeat.ended()
        await self._gates.breakers.finish()
        await self._gates.reputation.finish()
        await self._gates.ledger.finish()

    async def _turn(self, group: asyncio.TaskGroup) -> float:
        """Start what can be started; return the seconds until there may be more."""
        gate = self._gates.ledger
        try:
            if gate.closed_for == 0:
                await gate.catch_up()
                if self._snapshot.at is not None:  # before the first poll, the clock may be a day wrong
                    await gate.recover()
                    await self._queue_held()
                    await self._gates.reputation.prepare()
                await self._gates.breakers.exchange()
            wait = await self._start(group)
        except LedgerFault as fault:
            gate.close(fault)
            return gate.closed_for
        if gate.closed_for == 0 and not self._running:  # a running one has its dot still to be written
            gate.works()
        return wait

    def read_again(self) -> None:
        """Take in that an operator has changed deliveries: what was read ahead is forgotten."""
        self._ahead.forget()
        self._read_at = float("-inf")
        self.bell.set()

    async def _queue_held(self) -> None:
        """Queue again, once, what was held, or held back: this version or this configuration may mail it."""
        if self._held_are_queued:
            return
        held_back = Query(states=frozenset({State.QUEUED}), last_verdict=HELD_BACK)
        for query in (Query(states=frozenset({State.HELD})), held_back):
            held = await self._parts.ledger.find(query, _MOST_HELD)
            await asyncio.gather(*(self._queue(entry.delivery) for entry in held))
        self._held_are_queued = True

    async def _queue(self, held: Delivery) -> None:
        now = self._clock.now()
        with suppress(ChangedMeanwhile):
            await self._parts.ledger.settle(held, settle.put_off(held, now), now)

    async def _start(self, group: asyncio.TaskGroup) -> float:
        while self._snapshot.at is not None and self._gates.ledger.closed_for == 0:
            self._heartbeat.within(TURN_SECONDS)
            due_by = self._snapshot.due_by(self._clock.now())
            await self._ahead.look_at_poll(self._snapshot.at, due_by, self._parts.in_flight.keys)
            steps = await self._steps()
            taken = []
            for step in steps:
                if self._gates.ledger.closed_for > 0:  # the step before could not be written
                    return self._gates.ledger.closed_for
                if await self._take(step, group):
                    taken.append(step)
            if len(taken) < len(steps) and await self._may_go_now():
                continue
            if not steps or len(taken) < len(steps):
                return await self._pause(refused=bool(steps))
            if self._room == 0 and any(isinstance(step, Send) for step in taken):
                break  # an attempt that ends rings the bell
        return self._gates.ledger.closed_for or IDLE_WAIT

    async def _may_go_now(self) -> bool:
        """Ask the other senders on the ledger for what a mail lacks; say whether to try again at once."""
        return await self._gates.breakers.ask() or await self._gates.reputation.ask(len(self._ahead.due))

    async def _steps(self) -> list[Step]:
        """Return what can be done now, from what was read ahead, or from a new reading where that is at its end."""
        if self._room == 0 and not self._ahead.is_late_by(self._clock.now()) and self._can_wait_for_room:
            return []
        has_run_out = not self._ahead.due and not self._ahead.has_all
        steps = self._next_steps() if self._parts.relays.flows(self._clock.monotonic()) else []
        if self._can_wait_for_room or (steps and not has_run_out):
            return steps
        await self._read_due()
        return self._next_steps()

    def _next_steps(self) -> list[Step]:
        # A relay gate in doubt may let one through that stands further back.
        now, relays, at = self._clock.monotonic(), self._parts.relays, self._clock.now()
        due: Iterable[Delivery] = in_turn(self._ahead.due, self._ahead.fresh, fresh_first=self._ahead.fresh_first)
        room = self._room
        in_doubt = room > 0 and relays.in_doubt(now)
        if in_doubt or relays.stuck(now):
            due = relays.free(list(due), now, at)
            room = len(due) if in_doubt else room
        rules = self._gates.reputation.rules()
        busy = self._parts.in_flight.mailboxes
        if self._parts.left_to_others:
            busy |= self._parts.left_to_others.mailboxes(now)
        return plan(due, busy, room, at, rules)

    async def _read_due(self) -> None:
        """Read what is due. It may have changed when its turn comes: then its claim fails."""
        self._read_at, relays = self._clock.monotonic(), self._parts.relays
        limit = _ALL if relays.in_doubt(self._read_at) else _TOGETHER
        others, urgent_by = self._parts.in_flight.recipients, self._gates.reputation.urgent_by()
        stuck = relays.stuck(self._read_at)
        due_by = self._snapshot.due_by(self._clock.now())
        if self._parts.left_to_others:
            others |= self._parts.left_to_others.recipients(self._read_at)
        due = await self._parts.ledger.due(due_by, limit, others, urgent_by, stuck)
        self._ahead.replace(due, limit)

    @property
    def _can_wait_for_room(self) -> bool:
        """Whether the relay has no capacity: to read then would only find what expires, which a minute can wait."""
        now = self._clock.monotonic()
        return self._parts.relays.capacity(now) == 0 and now < self._read_at + IDLE_WAIT

    @property
    def _room(self) -> int:
        return self._parts.relays.capacity(self._clock.monotonic()) if self._snapshot.may_send else 0

    async def _take(self, step: Step, group: asyncio.TaskGroup) -> bool:
        """Take a step; say whether it could be taken."""
        match step:
            case Expire(delivery):
                self._ahead.take(delivery)
                await self._gates.ledger.record(attempt_end.expired(delivery, self._clock.now()))
                return True
            case Refuse(delivery, domain):
                self._ahead.take(delivery)
                await self._gates.ledger.record(self._gates.reputation.refuse(delivery, domain))
                return True
            case PutOff(delivery, hold):
                self._ahead.take(delivery)
                await self._gates.ledger.record(self._gates.reputation.put_off(delivery, hold))
                return True
            case Send(delivery, over):
                if not self._gates.reputation.lets_go(over):
                    return False
                granted = self._parts.relays.acquire(delivery, self._clock.monotonic())
                if granted is not None:
                    self._ahead.take(delivery, goes=True)
                    self._gates.reputation.start(delivery, over)
                    self._begin(delivery, granted, group)
                return granted is not None

    def _begin(self, delivery: Delivery, granted: Grant, group: asyncio.TaskGroup) -> None:
        """Start an attempt; what it takes here is given back when its task has ended, however that was."""
        self._parts.in_flight.put(delivery)
        task = group.create_task(self._attempts.make(delivery, granted, self.bell.set))
        self._running.add(task)

        def ended(task: asyncio.Task[bool]) -> None:
            self._running.discard(task)
            if task.cancelled() or task.exception() or not task.result():
                self._ahead.queued_again(delivery)
            self._parts.in_flight.remove(delivery)
            self._parts.recent_mails.end(delivery.key)
            granted.relay.gate.release(granted.permit)
            self.bell.set()

        task.add_done_callback(ended)

    async def _pause(self, *, refused: bool) -> float:
        """Return the seconds until a relay lets one through that it refused, or the next delivery is due."""
        monotonic, relays = self._clock.monotonic(), self._parts.relays
        if self._room == 0:
            return max(self._read_at + IDLE_WAIT - monotonic, SHORTEST_WAIT)
        waits = [IDLE_WAIT]
        if refused and (retry_in := relays.retry_in(monotonic)) is not None:
            waits.append(retry_in)
        if (changes_in := relays.changes_in(monotonic)) is not None:
            waits.append(changes_in)
        if (held_for := await self._gates.reputation.held_for()) is not None:
            waits.append(held_for)
        now = self._clock.now()
        if (at := await self._parts.ledger.next_due(now)) is not None:
            waits.append((at - now).total_seconds())
        return max(min(waits), SHORTEST_WAIT)
