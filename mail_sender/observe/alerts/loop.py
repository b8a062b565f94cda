"""The loop of alerts: every few seconds the status is read, and each receiver gets what it should know.

It runs beside the flow, and nothing waits for it. Whatever goes wrong here is a condition (`alerts`), logged once.
"""

import asyncio
import socket
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Self

import structlog

from mail_sender import log
from mail_sender.clock import Clock
from mail_sender.condition import Condition
from mail_sender.errors import LedgerFault
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.names.secret import Secret
from mail_sender.observe.alerts import firing, memory, rules
from mail_sender.observe.alerts.alert import Origin
from mail_sender.observe.alerts.channel import Channel
from mail_sender.observe.alerts.command import Command
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.firing import Memory
from mail_sender.observe.alerts.keeper import Keeper
from mail_sender.observe.alerts.memory import Kept
from mail_sender.observe.alerts.receiver import Receiver
from mail_sender.observe.alerts.rules import Cause
from mail_sender.observe.alerts.tally import Tally
from mail_sender.observe.alerts.webhook import Webhook
from mail_sender.observe.status import Status
from mail_sender.relay import redaction

EVERY = 10.0
"""Seconds between two turns, or fewer, where a condition is to be alerted earlier."""
STATUS_SECONDS = 10.0
_CLOSE_SECONDS = 3.0
_LONGEST = 500  # characters of a sentence
_MOST_TEXTS = 100

_log = structlog.get_logger()

ReadStatus = Callable[[], Awaitable[Status]]


@dataclass(frozen=True, slots=True)
class Plan:
    """Who is called under one configuration; `clean` makes a text fit to be sent to them."""

    config: AlertConfig
    receivers: tuple[Receiver, ...]
    clean: Callable[[str], str]

    @classmethod
    def of(cls, config: AlertConfig, instance: str, secrets: frozenset[Secret]) -> Self:
        """Return the plan for alerts about the sender of the instance with that URL, on this machine."""
        origin = Origin(instance, socket.gethostname())
        webhook = [Webhook(config, origin)] if config.url is not None else []
        command = [Command(config, origin)] if config.command else []
        return cls(config, (*webhook, *command), _cleaner(secrets))


def _cleaner(secrets: frozenset[Secret]) -> Callable[[str], str]:
    """Return what takes secrets and whole addresses out of a text and cuts it; most texts are the last turn's."""
    hide = log.Redactor(secrets).text

    @lru_cache(maxsize=_MOST_TEXTS)
    def clean(text: str) -> str:
        return redaction.without_addresses(hide(text))[:_LONGEST]

    return clean


class Alerting:
    """What outlives a change of the configuration: what was given up, and what each receiver has been sent.

    It is read from the state folder once, and written when it has changed.
    """

    def __init__(self, state: StateFolder | None, tally: Tally, clock: Clock, read: ReadStatus) -> None:
        self._keeper = Keeper(state)
        self._tally = tally
        self._clock = clock
        self._read = read
        self._running: asyncio.Task[None] | None = None
        self._memories: dict[str, Memory] = {}
        self._is_loaded = False

    async def follow(self, plan: Plan | None, own: Condition) -> None:
        """Alert by this plan from now on; `own` is the condition of alerting itself.

        A delivery that runs is ended; it is due again.
        """
        await self.close()
        if plan is not None and plan.receivers:
            self._running = asyncio.create_task(self._run(plan, own))
        else:
            own.up(self._clock.now())

    async def close(self) -> None:
        """Stop alerting."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running}, timeout=_CLOSE_SECONDS)
            self._running = None

    async def _run(self, plan: Plan, own: Condition) -> None:
        await self._load()
        config = plan.config
        channels = [
            Channel(one, self._memories.get(one.name, Memory()), config, self._clock) for one in plan.receivers
        ]
        every = min(EVERY, config.after.total_seconds())
        while True:
            try:
                await self._turn(plan, channels)
                self._note(channels, own)
            except Exception as error:  # noqa: BLE001 - whatever is wrong with alerts, mail goes on, and so do they
                advice = "please report it; mail is not affected"
                own.down("internal", f"a fault of mail-sender ({type(error).__name__})", advice, self._clock.now())
            await self._clock.wait(asyncio.Event(), every)

    async def _turn(self, plan: Plan, channels: Sequence[Channel]) -> None:
        found, are_all = await self._causes(plan)
        try:
            async with asyncio.TaskGroup() as turns:
                for channel in channels:
                    turns.create_task(channel.turn(found, are_all=are_all))
        finally:
            self._memories |= {channel.name: channel.memory for channel in channels}
        receivers = {name: memory.durable(one) for name, one in self._memories.items()}
        await self._keeper.save(Kept(receivers, dict(self._tally.counts)))

    async def _causes(self, plan: Plan) -> tuple[list[Cause], bool]:
        """Return what is wrong now, and whether that is all."""
        try:
            async with asyncio.timeout(STATUS_SECONDS):
                status = await self._read()
        except (LedgerFault, TimeoutError):
            return [rules.unreadable(plan.config)], False
        if status.queue is not None:
            self._tally.settle(status.queue.states, self._clock.now())
        found = [
            replace(one, summary=plan.clean(one.summary), advice=plan.clean(one.advice))
            for one in rules.causes(status, self._tally.counts, plan.config)
        ]
        return found, status.queue is not None

    def _note(self, channels: Sequence[Channel], own: Condition) -> None:
        faults = [(channel.name, channel.fault) for channel in channels if channel.fault is not None]
        if not faults:
            own.up(self._clock.now())
            return
        name, fault = faults[0]
        own.down(name, f"alerts cannot be delivered: {fault.detail}", fault.advice, self._clock.now())

    async def _load(self) -> None:
        if not self._is_loaded:
            kept = await self._keeper.load()
            now = self._clock.now()
            self._memories = {name: firing.started(one, now) for name, one in kept.receivers.items()}
            self._tally.add(kept.counts)
            self._is_loaded = True
