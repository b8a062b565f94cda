"""Acknowledge: marks sent messages on the server, until the server has the mark; a mark never causes a mail.

1. Unmarked messages are marked oldest first, two at a time. A message whose mark fails waits, longer each time, and
   delays no other message.
2. If the server fails for two different messages in a row, or asks for a pause, all marks wait, longer each time.
3. 404 means that the server does not have the message any more, or that our account has lost its group. The account's
   standing tells which; and it is gone only once the next good poll lacks it too (`snapshot`): until then the mark is
   repeated. 401 and 403 are the token's fault; if the account's standing is good, they concern only this message
   (docs/kanidm-wire.md).

4. A message whose outcome the ledger has not taken is marked on the server alone. The ledger gets the mark after the
   outcome: a row that has the mark and not the outcome would be mailed again after a kill.

Messages that are unmarked when the program ends are marked after the next start, because the ledger knows them.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

import structlog

from mail_sender.backoff import IDLE_WAIT, MARK_WAITS
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, MessageGone, ServerFault, ServerFaultKind
from mail_sender.sender.observation import Marked
from mail_sender.sender.parts import Parts
from mail_sender.sender.snapshot import Snapshot

_log = structlog.get_logger()

MARK_SECONDS = 240.0
"""Seconds within which a message is marked, or the fault is known, each call with its deadline."""
AT_A_TIME = 2
"""How many messages are marked at the same time."""


class Acknowledger:
    """The loop that marks. `bell` is to be rung when there may be something to mark."""

    def __init__(self, parts: Parts, snapshot: Snapshot, clock: Clock) -> None:
        self.bell = asyncio.Event()
        self._parts = parts
        self._heartbeat = parts.heartbeats.of("mark", clock)
        self._snapshot = snapshot
        self._clock = clock
        self._unrecorded: dict[UUID, None] = {}
        self._put_off: dict[UUID, _Wait] = {}
        self._failing: set[UUID] = set()
        self._taken: set[UUID] = set()  # the server has the mark, but the ledger does not know it yet
        self._server = _NO_WAIT

    def mark_unrecorded(self, message: UUID) -> None:
        """Have a message marked that is sent, although the ledger could not write it."""
        self._unrecorded[message] = None
        self.bell.set()

    async def run(self, ending: asyncio.Event) -> None:
        """Mark until `ending` is set and what is unmarked by then was marked, or tried."""
        while True:
            self.bell.clear()
            last = ending.is_set()
            self._heartbeat.within(MARK_SECONDS)
            wait = await self._round()
            if last:
                self._heartbeat.ended()
                return
            if not ending.is_set():
                self._heartbeat.within(wait)
                await self._clock.wait(self.bell, wait)

    async def _round(self) -> float:
        """Mark what is unmarked; return the seconds until the next round."""
        if (closed := self._server.until - self._clock.monotonic()) > 0:
            return closed
        try:
            await self._mark_each([*self._unrecorded])
            unmarked = await self._parts.ledger.unmarked(self._clock.now())
            known = {*self._unrecorded, *unmarked}
            self._put_off = {message: wait for message, wait in self._put_off.items() if message in known}
            await self._mark_each(unmarked)
        except ServerFault as fault:
            self._snapshot.note(fault, self._clock.now())
            self._server = self._wait(fault.retry_after or MARK_WAITS.longer(self._server.seconds))
            return self._server.seconds
        except LedgerFault:
            return MARK_WAITS.first  # the poller reports it
        waits = [wait.until - self._clock.monotonic() for wait in self._put_off.values()]
        return max(min(waits, default=IDLE_WAIT), 0.1)

    async def _mark_each(self, messages: Iterable[UUID]) -> None:
        """Mark messages, in their order, as far as none has to wait.

        Raises the first fault that is not one message's own: then no further mark begins, and those that have begun
        come to their end.
        """
        free = asyncio.Semaphore(AT_A_TIME)
        faults: list[ServerFault | LedgerFault] = []

        async def mark(message: UUID) -> None:
            try:
                await self._mark(message)
            except (ServerFault, LedgerFault) as fault:
                faults.append(fault)
            finally:
                free.release()

        async with asyncio.TaskGroup() as marks:
            for message in messages:
                if self._put_off.get(message, _NO_WAIT).until <= self._clock.monotonic():
                    await free.acquire()
                    self._heartbeat.within(MARK_SECONDS)
                    if faults:
                        break
                    marks.create_task(mark(message))
        if faults:
            raise faults[0]

    async def _mark(self, message: UUID) -> None:
        if message not in self._taken:
            began = self._clock.monotonic()
            try:
                await self._mark_on_server(message)
                self._observe(began, done=True)
            except ServerFault as fault:
                self._observe(began, done=False)
                await self._blame(message, fault)
                self._wait_with(message, fault)
                return
            self._taken.add(message)
        self._failing.clear()
        self._server = _NO_WAIT
        if message in self._unrecorded:
            del self._unrecorded[message]
            return  # the ledger names it as unmarked once it has the outcome
        await self._parts.ledger.marked([message], self._clock.now())
        self._taken.discard(message)

    def _observe(self, began: float, *, done: bool) -> None:
        self._parts.observe(Marked(self._clock.now(), self._clock.monotonic() - began, done))

    async def _mark_on_server(self, message: UUID) -> None:
        try:
            await self._parts.source.mark_sent(message)
            _log.info("marked", message_id=message)
        except MessageGone:
            await self._parts.source.standing()
            if not self._snapshot.is_gone(message):
                self._snapshot.doubt(message, is_gone=True)
                detail = "the server does not know the message"
                raise ServerFault(ServerFaultKind.ERROR, detail, "the next poll shows whether it is gone") from None
            self._snapshot.settle_doubt(message)
            _log.warning("message_gone", message_id=message, message="mailed, but the message is gone on the server")

    async def _blame(self, message: UUID, fault: ServerFault) -> None:
        """Raise what concerns every message; return where it may concern this one alone."""
        if fault.kind.is_of_the_token:
            await self._parts.source.standing()
        elif fault.retry_after is not None:
            raise fault
        elif fault.kind is not ServerFaultKind.ERROR:
            self._failing.add(message)
            if len(self._failing) > 1:
                raise fault

    def _wait_with(self, message: UUID, fault: ServerFault) -> None:
        if message not in self._put_off:
            text = f"{fault.detail}; {fault.advice}; it is mailed; the mark is repeated until the server accepts it"
            _log.warning("mark_failed", message_id=message, message=text)
        self._put_off[message] = self._wait(MARK_WAITS.longer(self._put_off.get(message, _NO_WAIT).seconds))

    def _wait(self, seconds: float) -> "_Wait":
        return _Wait(seconds, self._clock.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long something is left alone (seconds), and until when on the monotonic clock."""

    seconds: float
    until: float


_NO_WAIT = _Wait(0.0, float("-inf"))
