"""Poll: list the queue on the schedule, and admit what is new.

1. The account's standing is checked first, unless it is known to be good: no mail goes out under a token that could
   never mark it.
2. The queue is listed. An entry that cannot be read is reported once and left there. The ledger admits what is new
   (`intake`), and forgets what is long gone; the listing becomes the snapshot, which the dispatcher reads.
3. A fault of the server is reported once, and the next tick tries again. The snapshot stays good meanwhile, unless
   the token is at fault.

The first poll is at once. Polls do not overlap, and ticks that pass during a poll are skipped. A wait that the server
asks for (Retry-After) overrides the schedule. After a long poll, the next one waits for a while, so that polls take a
tenth of the time at most: a list of thousands costs both sides seconds. A shorter question would not do. Kanidm's
filters know no times, and that a list has as many entries as before does not say that it has the same ones. But of an
entry that the last list had in the same words, only these words are looked at, so that such a list costs us little.
After a list of thousands that were looked at for the first time, the wait is short, as the next list costs less.
"""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import structlog

from mail_sender.clock import TOLERANCE, Clock
from mail_sender.errors import LedgerFault, ServerFault
from mail_sender.message import Listing
from mail_sender.sender import events, skew
from mail_sender.sender.config import SenderConfig
from mail_sender.sender.intake import Intake, known_of
from mail_sender.sender.observation import NextPoll, Polled, PollFailed
from mail_sender.sender.parts import Parts
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source import answers
from mail_sender.source.base import NOTHING, Known

_log = structlog.get_logger()

STANDING_LASTS = 600.0
"""Seconds for which a good standing is not checked again."""
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
STANDING_SECONDS = 150.0
"""Seconds within which the account's standing is known: several calls, each with its deadline."""
LIST_SECONDS = 1600.0
"""Seconds within which a list has come, read twice and page by page at worst."""
ADMIT_SECONDS = 120.0
"""Seconds within which the ledger has taken up a list of any length, or failed."""


class Poller:
    """The loop that fills the snapshot and the ledger; `ring` is called after each poll."""

    def __init__(
        self, parts: Parts, snapshot: Snapshot, config: SenderConfig, clock: Clock, ring: Callable[[], None]
    ) -> None:
        self._parts = parts
        self._heartbeat = parts.heartbeats.of("poll", clock)
        self._snapshot = snapshot
        self._config = config
        self._clock = clock
        self._ring = ring
        self._standing_until = float("-inf")
        self._all_until = float("-inf")
        self._greeted = False
        self._off = timedelta(0)  # by how much the server's time differed from ours at the last good poll

    async def run(self, stop: asyncio.Event) -> None:
        """Poll until the stop event is set, or the schedule has no more ticks; without a schedule, once."""
        try:
            await self._run(stop)
        finally:
            self._heartbeat.ended()

    async def _run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            polling = asyncio.ensure_future(self._poll())
            stopping = asyncio.ensure_future(stop.wait())
            try:
                await asyncio.wait({polling, stopping}, return_when=asyncio.FIRST_COMPLETED)
                if not polling.done():
                    return
                leave_alone = polling.result()
            finally:
                polling.cancel()
                stopping.cancel()
            if self._config.schedule is None:
                return
            now = self._clock.now()
            tick = self._config.schedule.next_after(now + timedelta(seconds=leave_alone))
            if leave_alone >= WORTH_A_LINE:
                _log.debug("polls_rest", seconds=round(leave_alone, 1), next_poll=tick)
            self._parts.observe(NextPoll(tick))
            if tick is None:
                text = "the schedule has no further tick; mail-sender ends"
                _log.warning("schedule_over", schedule=self._config.schedule, message=text)
                return
            wait = (tick - now).total_seconds()
            self._heartbeat.within(wait)
            await self._clock.wait(stop, wait)

    async def _poll(self) -> float:
        """Poll once; return the seconds for which the server is to be left alone."""
        began, rests = self._clock.monotonic(), RESTS
        try:
            self._heartbeat.within(STANDING_SECONDS)
            await self._check_standing()
            self._heartbeat.within(LIST_SECONDS)
            known = self._known(began)
            listing, intake = await self._list(known)
            self._heartbeat.within(ADMIT_SECONDS)
            rests = RESTS_AFTER_NEW if await self._take_up(listing, intake, known) else RESTS
            self._parts.observe(Polled(self._clock.now(), self._since(began), len(listing.ids), _malformed(listing)))
        except ServerFault as fault:
            self._all_until = float("-inf")
            self._snapshot.note(fault, self._clock.now())
            self._parts.observe(PollFailed(self._clock.now(), self._since(began), fault.kind))
            return fault.retry_after or 0.0
        except LedgerFault as fault:
            self._all_until = float("-inf")
            self._parts.conditions.ledger.down(fault.kind, fault.detail, fault.advice, self._clock.now())
            self._parts.observe(PollFailed(self._clock.now(), self._since(began), fault.kind))
        finally:
            self._snapshot.admitting = None
            self._ring()
        return min(rests * self._since(began), LONGEST_REST)

    def _since(self, began: float) -> float:
        return self._clock.monotonic() - began

    async def _check_standing(self) -> None:
        is_good = self._snapshot.may_send and not self._parts.conditions.server.fault
        if is_good and self._clock.monotonic() < self._standing_until:
            return
        standing = await self._parts.source.standing()
        if not self._greeted:
            self._greeted = True
            _log.info("server_ready", account=standing.account, may_write=standing.may_write)
            if standing.excess_groups:
                groups = ", ".join(standing.excess_groups)
                _log.warning("excess_groups", groups=groups, message=answers.EXCESS_GROUPS)
        self._standing_until = self._clock.monotonic() + STANDING_LASTS

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
        if off is None or _near(off, timedelta(0), self._off):
            return first, intake
        second, other, intake = await self._ask_for_list(known)
        if other is None or _near(other, off, timedelta(0), self._off):
            return second, intake
        return replace(second, at=self._clock.now() + min(off, other)), intake

    async def _ask_for_list(
        self, known: Known, *, knows_time: bool = False
    ) -> tuple[Listing, timedelta | None, Intake]:
        """Return a listing, by how much its time is ahead of ours, if it has one, and what took its parts."""
        parts, max_age = self._parts, self._config.retry.max_age
        intake = Intake(parts.ledger, self._snapshot, max_age, self._clock, known, waits_for_clock=not knows_time)
        found = await parts.source.list_ready(self._clock.now(), intake.take, known)
        return found, None if found.at is None else found.at - self._clock.now(), intake

    async def _take_up(self, listing: Listing, intake: Intake, known: Known) -> bool:
        """Take up what was listed; say whether very many of it had to be looked at, as is seldom."""
        self._compare_clocks(listing)
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

    def _compare_clocks(self, listing: Listing) -> None:
        ahead, condition = self._clock.learn(listing.at, listing.newest), self._parts.reported.skew
        now = self._clock.now()
        self._off = timedelta(0) if listing.at is None else listing.at - now
        if abs(ahead) <= skew.REPORTED:
            condition.up(now)
            return
        found = skew.described(ahead, servers_counts=abs(self._off) <= TOLERANCE)
        # Reported once, since by how much it is wrong changes all the time.
        if condition.fault is None or condition.fault.kind != found.kind:
            condition.down(found.kind, found.detail, found.advice, now)


def _malformed(listing: Listing) -> int:
    return len(listing.odd) + listing.more_odd


def _near(off: timedelta, *others: timedelta) -> bool:
    return any(abs(off - other) <= TOLERANCE for other in others)
