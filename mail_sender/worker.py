"""The worker: three loops over one ledger, and the flow runs through them in one direction.

    poll:         server -> inbox, ledger
    dispatch:     ledger -> relay -> ledger
    acknowledge:  ledger -> server

None waits for another: a relay that hangs does not keep the queue from being read, a server that hangs does not
keep mail from going out, and a mark that is late holds up neither. They ring each other's bells.

When it is told to stop, the poller stops at once, the dispatcher when what is under way has ended, and the
acknowledger when it has told the server of that.
"""

import asyncio
import math
from dataclasses import dataclass

from mail_sender.acknowledge import Acknowledger
from mail_sender.clock import Clock
from mail_sender.condition import Trouble
from mail_sender.dispatch import Dispatcher
from mail_sender.inbox import Inbox
from mail_sender.lane import Lane
from mail_sender.poll import PollConfig, Poller
from mail_sender.post import Post, PostConfig, Stages, Tell
from mail_sender.schedule import Schedule
from mail_sender.settings import LetterConfig, RetryConfig


@dataclass(frozen=True, slots=True)
class WorkConfig:
    """What the worker is told: when to poll, what letters look like, how often they are tried."""

    schedule: Schedule
    letter: LetterConfig
    retry: RetryConfig


class Worker:
    """The sender, from start to stop."""

    def __init__(self, stages: Stages, config: WorkConfig, clock: Clock) -> None:
        source, ledger = stages.source, stages.ledger
        self._stages = stages
        self._lane = Lane()
        self._clock = clock
        inbox = Inbox(stages.conditions)
        self._acknowledger = Acknowledger(source, ledger, inbox, clock)
        tell = Tell(self._acknowledger.bell.set, self._acknowledger.tell_anyway)
        post = Post(stages, inbox, PostConfig(config.letter, config.retry), self._lane, clock, tell)
        self._dispatcher = Dispatcher(post, stages, inbox, self._lane, clock)
        polls = PollConfig(config.schedule, config.retry.max_age)
        self._poller = Poller(source, ledger, inbox, polls, clock, self._ring)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until the stop event is set, or the schedule has no more ticks."""
        ending, dispatched = asyncio.Event(), asyncio.Event()
        async with asyncio.TaskGroup() as loops:
            dispatching = loops.create_task(self._dispatcher.run(ending))
            loops.create_task(self._acknowledger.run(dispatched))
            await self._poller.run(stop)
            ending.set()
            self._ring()
            await dispatching
            dispatched.set()
            self._ring()
        await self._stages.transport.close()

    def wake(self) -> None:
        """Look at what is due now: the operator has changed something."""
        self._ring()

    def probe(self) -> None:
        """Look at what is due now, and try a lane that is shut at once."""
        self._lane.probe_now()
        self._ring()

    def troubles(self) -> list[Trouble]:
        """Return what is wrong with whom."""
        return self._stages.conditions.troubles

    def probes_in(self) -> float | None:
        """Return the seconds until the relay is tried again, where its lane is shut and nobody is on the way."""
        wait = self._lane.opens_in(self._clock.monotonic())
        return wait if self._lane.is_shut and wait != math.inf else None

    def _ring(self) -> None:
        self._dispatcher.bell.set()
        self._acknowledger.bell.set()
