"""Poll: list the queue on the schedule, and admit what is new.

1. The account's standing is checked first, unless it is known to be good (`account`).
2. The queue is listed. An entry that cannot be read is reported once and left there. The ledger admits what is new
   (`intake`), and forgets what is long gone; the listing becomes the snapshot, which the dispatcher reads.
3. A fault of the server is reported once, and the next tick tries again. The snapshot stays good meanwhile, unless
   the token is at fault.
4. Of several replicas that share a ledger one polls (`role`); each of the others looks at the server now and then
   instead (`follow`), and polls as soon as the role is its own.

The first poll is at once. Polls do not overlap, and ticks that pass during a poll are skipped. A wait that the server
asks for (Retry-After) overrides the schedule. After a long poll, the next one waits for a while, so that polls take a
tenth of the time at most: a list of thousands costs both sides seconds. A shorter question would not do. Kanidm's
filters know no times, and that a list has as many entries as before does not say that it has the same ones. But of an
entry that the last list had in the same words, only these words are looked at, so that such a list costs us little.
After a list of thousands that were looked at for the first time, the wait is short, as the next list costs less.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import structlog

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, ServerFault
from mail_sender.message import Listing
from mail_sender.sender import events
from mail_sender.sender.account import STANDING_SECONDS, Account
from mail_sender.sender.config import SenderConfig
from mail_sender.sender.follow import Follower
from mail_sender.sender.intake import Intake, known_of
from mail_sender.sender.observation import NextPoll, Polled, PollFailed
from mail_sender.sender.parts import Parts
from mail_sender.sender.role import Role
from mail_sender.sender.server_time import ServerTime
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source.base import NOTHING, Known

_log = structlog.get_logger()
T = TypeVar("T")

RESTS = 9.0
"""How many times as long as a poll took the server is left alone after it."""
RESTS_AFTER_NEW = 1.0
"""The same after a list of very many messages that were new, or looked at again: the next one takes less."""
LONGEST_REST = 60.0
"""The longest such rest, in seconds."""
VERY_MANY = 1_000
"""Messages that take longer to be looked at than to be listed."""
WORTH_A_LINE = 5.0
"""A rest of so many seconds is logged: with the usual schedule, it is in place of a poll."""
ALL_LASTS = 600.0
"""Seconds after which a list is looked at as a whole again, and not only at what it has that the last one had not."""
LIST_SECONDS = 1600.0
"""Seconds within which a list has come, read twice and page by page at worst."""
ADMIT_SECONDS = 120.0
"""Seconds within which the ledger has taken up a list of any length, or failed."""


class Poller:
    """The loop that fills the snapshot and the ledger; `ring` is called after each poll.

    `news` is to be set when another replica may poll now.
    """

    def __init__(
        self, parts: Parts, snapshot: Snapshot, config: SenderConfig, clock: Clock, ring: Callable[[], None]
    ) -> None:
        self.news = asyncio.Event()
        self.role = Role(parts.ledger.replicas, parts.digest, clock)
        self._parts = parts
        self._heartbeat = parts.heartbeats.of("poll", clock)
        self._snapshot = snapshot
        self._config = config
        self._clock = clock
        self._ring = ring
        self._account = Account(parts, snapshot, clock)
        self._time = ServerTime(parts.reported, clock)
        self._follower = Follower(parts, snapshot, self._account, self._time, self.role, clock)
        self._all_until = float("-inf")

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until the stop event is set, or the schedule has no more ticks; without a schedule, once."""
        stopping = asyncio.ensure_future(self._wake_at(stop))
        try:
            await self._run(stop)
        finally:
            stopping.cancel()
            self._heartbeat.ended()

    async def _wake_at(self, stop: asyncio.Event) -> None:
        await stop.wait()
        self.news.set()

    async def _run(self, stop: asyncio.Event) -> None:
        if self._config.schedule is None:
            await self._until(stop, self._poll())
            return
        await self._until(stop, self.role.stand())
        while not stop.is_set():
            self.role.report()
            polls = self.role.is_ours
            leave_alone = await self._until(stop, self._poll() if polls else self._follow())
            if leave_alone is None:
                return
            now = self._clock.now()
            tick = self._config.schedule.next_after(now + timedelta(seconds=leave_alone))
            if tick is None:
                self._parts.observe(NextPoll(None))
                text = "the schedule has no further tick; mail-sender ends"
                _log.warning("schedule_over", schedule=self._config.schedule, message=text)
                return
            if polls and leave_alone >= WORTH_A_LINE:
                _log.debug("polls_rest", seconds=round(leave_alone, 1), next_poll=tick)
            self._parts.observe(NextPoll(tick if polls else None))
            await self._pause(stop, (tick - now).total_seconds() if polls else leave_alone, polls=polls)

    async def _until(self, stop: asyncio.Event, call: Coroutine[None, None, T]) -> T | None:
        """Return what a call returns, or None if it is to stop meanwhile."""
        calling = asyncio.ensure_future(call)
        stopping = asyncio.ensure_future(stop.wait())
        try:
            await asyncio.wait({calling, stopping}, return_when=asyncio.FIRST_COMPLETED)
            return calling.result() if calling.done() else None
        finally:
            calling.cancel()
            stopping.cancel()

    async def _pause(self, stop: asyncio.Event, seconds: float, *, polls: bool) -> None:
        """Wait for so many seconds, or until this replica's role changes."""
        until = self._clock.monotonic() + seconds
        self._heartbeat.within(seconds)
        while not stop.is_set() and self.role.is_ours is polls:
            self.news.clear()
            if not await self._clock.wait(self.news, until - self._clock.monotonic()):
                return
            await self.role.reconsider()

    async def _follow(self) -> float:
        """Look at the server, if it is time to; return the seconds until the next look."""
        self._all_until = float("-inf")
        at = self._snapshot.at
        wait = await self._follower.follow(self._heartbeat)
        if self._snapshot.at != at:
            self._ring()
        return wait

    async def _poll(self) -> float:
        """Poll once; return the seconds for which the server is to be left alone."""
        began, rests = self._clock.monotonic(), RESTS
        self.role.headway()
        try:
            self._heartbeat.within(STANDING_SECONDS)
            if self._account.is_to_be_checked:
                await self._account.check()
            self._heartbeat.within(LIST_SECONDS)
            known = self._known(began)
            listing, intake = await self._list(known)
            self._heartbeat.within(ADMIT_SECONDS)
            rests = RESTS_AFTER_NEW if await self._take_up(listing, intake, known) else RESTS
            self.role.is_good()
            self._parts.observe(Polled(self._clock.now(), self._since(began), len(listing.ids), _malformed(listing)))
        except ServerFault as fault:
            self._all_until = float("-inf")
            self._snapshot.note(fault, self._clock.now())
            self._parts.observe(PollFailed(self._clock.now(), self._since(began), fault.kind))
            await self.role.poll_failed(fault)
            return fault.retry_after or 0.0
        except LedgerFault as fault:
            self._all_until = float("-inf")
            self._parts.conditions.ledger.down(fault.kind, fault.detail, fault.advice, self._clock.now())
            self._parts.observe(PollFailed(self._clock.now(), self._since(began), fault.kind))
        finally:
            self.role.poll_ended()
            self._snapshot.admitting = None
            self._ring()
        return min(rests * self._since(began), LONGEST_REST)

    def _since(self, began: float) -> float:
        return self._clock.monotonic() - began

    def _known(self, now: float) -> Known:
        if now < self._all_until:
            return known_of(self._snapshot)
        self._all_until = now + ALL_LASTS
        return NOTHING

    async def _list(self, known: Known) -> tuple[Listing, Intake]:
        """List the queue, twice where the server's time has moved against ours: a single answer may have a wrong one.

        Where two answers disagree, the earlier time counts: no link expires by it too soon. Returns the last part of
        the list, with what is to be said of all of it, and what has taken the other parts.
        """
        first, off, intake = await self._ask_for_list(known)
        if off is None or self._time.is_expected(off):
            return first, intake
        second, other, intake = await self._ask_for_list(known)
        if other is None or self._time.is_expected(other, off):
            return second, intake
        return replace(second, at=self._clock.now() + min(off, other)), intake

    async def _ask_for_list(
        self, known: Known, *, knows_time: bool = False
    ) -> tuple[Listing, timedelta | None, Intake]:
        """Return a listing, by how much its time is ahead of ours, if it has one, and what took its parts."""
        parts, max_age = self._parts, self._config.retry.max_age
        intake = Intake(parts.ledger, self._snapshot, max_age, self._clock, known, waits_for_clock=not knows_time)

        async def take(part: Listing) -> None:
            self.role.headway()
            await intake.take(part)

        try:
            found = await parts.source.list_ready(self._clock.now(), take, known)
        except (ServerFault, LedgerFault):
            with suppress(LedgerFault):  # the next beat does
                await intake.close()
            raise
        return found, self._time.ahead(found.at), intake

    async def _take_up(self, listing: Listing, intake: Intake, known: Known) -> bool:
        """Take up what was listed; say whether very many of it had to be looked at, as is seldom."""
        self._time.learn(listing.at, listing.newest)
        if intake.has_left_out:
            self._heartbeat.within(LIST_SECONDS)
            listing, _, intake = await self._ask_for_list(known, knows_time=True)
        _log.debug("polled", ready=len(listing.ids), malformed=_malformed(listing))
        reported = self._parts.reported
        new = [entry for entry in listing.odd if entry not in reported.odd]
        events.odd(new, max(listing.more_odd - reported.more_odd, 0))
        reported.odd, reported.more_odd = frozenset(listing.odd), listing.more_odd
        await intake.finish(listing)
        if known is NOTHING:
            await self._parts.ledger.forget(self._clock.now(), keep=self._snapshot.ids)
        return intake.looked_at >= max(VERY_MANY, len(listing.ids) // 2)


def _malformed(listing: Listing) -> int:
    return len(listing.odd) + listing.more_odd
