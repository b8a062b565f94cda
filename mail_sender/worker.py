"""The worker: one flow in one direction, round after round, on the schedule.

    poll -> admit -> plan -> render -> deliver -> settle -> acknowledge

1. Each round begins with the account's standing, where that is not known to be good: no mail goes out under a
   token that could never mark it.
2. The queue is polled. What cannot be read is named once and left there; trouble with the server ends the round.
3. What is already sent but not marked is told again, before anything new.
4. The plan takes a bounded number of steps; where there is more, the next round follows at once.
5. Each letter is rendered, handed over, and its verdict settled in the ledger before anything else happens. When
   a message's deliveries are all final and one is sent, the server is told.
6. A lane that is down ends the round's sending: nobody's mail pays for it, and it is tried again at most once a
   minute, by one letter.

Rounds do not overlap, and ticks that pass meanwhile are not made up for. The first round starts at once.
"""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

import structlog

from mail_sender import report
from mail_sender.acknowledge import acknowledge
from mail_sender.clock import Clock
from mail_sender.condition import Condition
from mail_sender.deliver.base import Transport
from mail_sender.errors import ServerTrouble
from mail_sender.ledger.base import Delivery, Ledger, Outcome
from mail_sender.ledger.states import State
from mail_sender.message import Message, OddEntry
from mail_sender.plan import Attempt, Expire, Hold, Step, plan
from mail_sender.render import BrokenTemplate, Unrenderable, render
from mail_sender.settings import LetterConfig, WorkerConfig
from mail_sender.settle import out_of_time, outcome
from mail_sender.source.base import Source
from mail_sender.verdict import LaneDown, Verdict

_log = structlog.get_logger()

LANE_WAIT = 60.0
"""Seconds between two tries of a lane that is down."""
STANDING_LASTS = 600.0
"""Seconds for which a good standing is believed without asking."""


@dataclass(frozen=True, slots=True)
class Stages:
    """The parts of the flow that reach outside."""

    source: Source
    ledger: Ledger
    transport: Transport


@dataclass(frozen=True, slots=True)
class _Round:
    """How a round ended: whether there is more to do at once, or how long (seconds) the server wants to be left."""

    more: bool = False
    leave_alone: float = 0.0


class Worker:
    """The sender, from start to stop."""

    def __init__(self, stages: Stages, letter: LetterConfig, config: WorkerConfig, clock: Clock) -> None:
        self._stages = stages
        self._letter = letter
        self._config = config
        self._clock = clock
        self._server = Condition("server")
        self._relay = Condition("relay")
        self._standing_until = float("-inf")
        self._lane_opens = float("-inf")
        self._named: frozenset[OddEntry] = frozenset()

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, or the schedule has no more ticks."""
        while not stop.is_set():
            ended = await self._round(stop)
            if ended.more:
                continue
            now = self._clock.now()
            tick = self._config.schedule.next_after(now + timedelta(seconds=ended.leave_alone))
            if tick is None:
                _log.warning("schedule_over", schedule=self._config.schedule, say="there is no tick to come; ending")
                return
            await self._clock.wait(stop, (tick - now).total_seconds())

    async def _round(self, stop: asyncio.Event) -> _Round:
        try:
            await self._check_standing()
            messages = await self._poll()
            unmarked = await acknowledge(
                await self._stages.ledger.unmarked(), self._stages.source, self._stages.ledger
            )
            self._note_server(unmarked)
            return await self._work_off(messages, stop)
        except ServerTrouble as trouble:
            self._note_server(trouble)
            return _Round(leave_alone=trouble.retry_after or 0.0)
        finally:
            await self._stages.transport.close()

    async def _check_standing(self) -> None:
        if self._server.is_fine and self._clock.monotonic() < self._standing_until:
            return
        standing = await self._stages.source.standing()
        if self._standing_until == float("-inf"):
            _log.info("server_ready", account=standing.account, may_write=standing.may_write)
            if standing.excess_groups:
                say = "a sender needs no other group than idm_message_senders"
                _log.warning("more_groups", groups=", ".join(standing.excess_groups), say=say)
        self._standing_until = self._clock.monotonic() + STANDING_LASTS

    async def _poll(self) -> tuple[Message, ...]:
        now = self._clock.now()
        listing = await self._stages.source.list_ready(now)
        _log.debug("polled", ready=len(listing.messages), odd=len(listing.odd))
        report.odd([entry for entry in listing.odd if entry not in self._named])
        self._named = frozenset(listing.odd)
        await self._stages.ledger.admit(listing.messages, now)
        await self._stages.ledger.forget(now, keep=frozenset(message.id for message in listing.messages))
        return listing.messages

    async def _work_off(self, messages: tuple[Message, ...], stop: asyncio.Event) -> _Round:
        deliveries = await self._stages.ledger.deliveries(message.id for message in messages)
        steps = plan(messages, deliveries, self._clock.now(), self._config.batch_size)
        _log.debug("planned", steps=len(steps))
        for step in steps:
            if stop.is_set() or not await self._take(step):
                return _Round()
        return _Round(more=len(steps) == self._config.batch_size)

    async def _take(self, step: Step) -> bool:
        """Take one step; say whether the round may go on."""
        match step:
            case Attempt(message, delivery):
                return await self._attempt(message, delivery)
            case Expire(message, delivery):
                state = out_of_time(delivery)
                (report.unknown if state is State.UNKNOWN else report.expired)(message, delivery)
                await self._put(delivery, state)
            case Hold(message, delivery):
                await self._put(delivery, State.HELD)
                report.held(message, delivery, "this version has no template for it")
        return True

    async def _attempt(self, message: Message, delivery: Delivery) -> bool:
        if self._clock.monotonic() < self._lane_opens:
            return False
        try:
            letter = render(message, delivery.recipient, self._letter, self._clock.now().replace(microsecond=0))
        except Unrenderable as error:
            report.failed(message, delivery, f"no mail could be made of it: {error}")
            complete = await self._put(delivery, State.FAILED)
        except BrokenTemplate as error:
            report.held(message, delivery, str(error))
            complete = await self._put(delivery, State.HELD)
        else:
            await self._stages.ledger.begin(delivery)
            verdict = await self._stages.transport.send(letter, lambda: self._stages.ledger.dot(delivery))
            complete = await self._settle(message, delivery, verdict)
            if isinstance(verdict, LaneDown):
                return False
        if complete and (trouble := await acknowledge([message.id], self._stages.source, self._stages.ledger)):
            self._note_server(trouble)
        return True

    async def _settle(self, message: Message, delivery: Delivery, verdict: Verdict) -> bool:
        complete = await self._stages.ledger.settle(delivery, outcome(delivery, verdict, self._clock.now()))
        if isinstance(verdict, LaneDown):
            self._lane_opens = self._clock.monotonic() + LANE_WAIT
            self._relay.down(verdict.stage, verdict.detail, verdict.advice, self._clock.now())
        else:
            self._relay.up(self._clock.now())
            report.verdict(verdict, message, delivery)
        return complete

    async def _put(self, delivery: Delivery, state: State) -> bool:
        now = self._clock.now()
        return await self._stages.ledger.settle(delivery, Outcome(state, now, delivery.attempts, delivery.ambiguous))

    def _note_server(self, trouble: ServerTrouble | None) -> None:
        if trouble is None:
            self._server.up(self._clock.now())
        else:
            self._server.down(trouble.kind, trouble.detail, trouble.advice, self._clock.now())
