"""Acknowledge: marks sent messages on the server, until the server has the mark; a mark never causes a mail.

1. What is to be marked stands in a queue, from which up to four workers take it, oldest first by and large; no mark
   waits for another one. The ledger fills the queue when this begins, and whenever it has run low although there is
   more; what becomes unmarked meanwhile is put into it by who writes the outcome (`ledger_gate`).
2. A message whose mark fails waits, longer each time, and delays no other message. If the server fails for two
   different messages in a row, or asks for a pause, all marks wait, longer each time.
3. 404 means that the server does not have the message any more, or that our account has lost its group. The account's
   standing tells which; and it is gone only once the next good poll lacks it too (`snapshot`): until then the mark is
   repeated. 401 and 403 are the token's fault; if the account's standing is good, they concern only this message
   (docs/kanidm-wire.md).
4. The ledger gets the marks of a tenth of a second in one commit: a mark that it has not got when the process ends is
   made once more, which does no harm.
5. A message whose outcome the ledger has not taken is marked on the server alone. The ledger gets the mark after the
   outcome: a row that has the mark and not the outcome would be mailed again after a kill.

Messages that are unmarked when the program ends are marked after the next start, because the ledger knows them. Where
several senders share it, another one marks them: it is looked every few seconds for what one has left behind.
"""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from uuid import UUID

import structlog

from mail_sender.backoff import IDLE_WAIT, MARK_WAITS, OTHERS_ENDED
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, MessageGone, ServerFault, ServerFaultKind
from mail_sender.sender.heartbeat import Heartbeat
from mail_sender.sender.observation import Marked
from mail_sender.sender.parts import Parts
from mail_sender.sender.snapshot import Snapshot

_log = structlog.get_logger()

MARK_SECONDS = 240.0
"""Seconds within which a message is marked, or the fault is known, each call with its deadline."""
AT_A_TIME = 4
"""How many messages are marked at the same time."""
MOST_QUEUED = 1_000
"""How many messages stand in the queue; the ledger knows the others."""
MOST_PUT_OFF = 1_000
"""How many messages may wait each by itself: if more marks fail, it is the server that fails."""
RECORD_AFTER = 0.1
"""Seconds for which marks are gathered before the ledger gets them."""


class Acknowledger:
    """The loop that marks. `bell` is to be rung when the ledger may know something that is to be marked."""

    def __init__(self, parts: Parts, snapshot: Snapshot, clock: Clock) -> None:
        self.bell = asyncio.Event()
        self._parts = parts
        self._heartbeat = parts.heartbeats.of("mark", clock)
        self._snapshot = snapshot
        self._clock = clock
        self._queue: asyncio.Queue[UUID] = asyncio.Queue()
        self._in_hand: set[UUID] = set()  # in the queue, or being marked
        self._is_more = False  # the ledger knows of more than there is in the queue
        self._put_off: dict[UUID, _Wait] = {}
        self._failing: set[UUID] = set()
        self._unrecorded: dict[UUID, None] = {}
        self._marked_unrecorded: set[UUID] = set()
        self._to_record: dict[UUID, None] = {}  # the server has the mark, but the ledger does not know it yet
        self._recorded: set[UUID] = set()  # since the ledger was last asked, whose answer may be older
        self._records = asyncio.Event()
        self._server = _NO_WAIT
        self._next_turn = float("-inf")

    def mark(self, message: UUID) -> None:
        """Have a message marked of which the ledger has just said that it is unmarked."""
        if message in self._marked_unrecorded:
            self._marked_unrecorded.discard(message)
            self._to_record[message] = None
            self._records.set()
        elif self._closed_for > 0 or self._queue.qsize() >= MOST_QUEUED:
            self._is_more = True
        elif message not in self._in_hand and self._is_due(message):
            self._in_hand.add(message)
            self._queue.put_nowait(message)

    def mark_unrecorded(self, message: UUID) -> None:
        """Have a message marked that is sent, although the ledger could not write it."""
        self._unrecorded[message] = None
        self.mark(message)

    async def run(self, ending: asyncio.Event) -> None:
        """Mark until `ending` is set and what is unmarked by then was marked, or tried."""
        others = [self._work(self._parts.heartbeats.of("mark", self._clock)) for _ in range(AT_A_TIME)]
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(other) for other in (*others, self._keep_recording())]
            await self._run(ending)
            for task in tasks:
                task.cancel()
        with suppress(LedgerFault):
            await self._record()

    async def _run(self, ending: asyncio.Event) -> None:
        while not ending.is_set():
            self.bell.clear()
            wait = await self._turn()
            if not ending.is_set():
                self._heartbeat.within(wait)
                self._next_turn = self._clock.monotonic() + wait
                await self._clock.wait(self.bell, wait)
        self._heartbeat.within(MARK_SECONDS)
        with suppress(LedgerFault):
            while self._closed_for == 0:
                await self._fill()
                if not self._in_hand:
                    break
                await self._queue.join()
        await self._queue.join()
        self._heartbeat.ended()

    async def _turn(self) -> float:
        """Fill the queue if it has run low; return the seconds until the next turn."""
        self._heartbeat.within(MARK_SECONDS)
        if self._closed_for > 0:
            return self._closed_for
        try:
            if self._is_low:
                await self._fill()
        except LedgerFault:
            return MARK_WAITS.first  # the poller reports it
        waits = [wait.until - self._clock.monotonic() for wait in self._put_off.values()]
        idle = OTHERS_ENDED if self._parts.ledger.is_shared else IDLE_WAIT
        return max(min([*waits, idle]), 0.1)

    async def _fill(self) -> None:
        """Put into the queue what the ledger calls unmarked, as far as it does not wait. Raises `LedgerFault`."""
        most = MOST_QUEUED + len(self._in_hand) + len(self._put_off) + len(self._to_record)
        self._recorded.clear()
        found = await self._parts.ledger.to_mark(self._clock.now(), most)
        self._is_more = len(found) == most
        again = [message for message in self._put_off if self._is_due(message)] if self._is_more else []
        if not self._is_more:  # the others are marked by now, or the server has deleted them
            named = {*found, *self._unrecorded}
            self._put_off = {message: wait for message, wait in self._put_off.items() if message in named}
        for message in (*self._unrecorded, *again, *found):
            if message not in self._to_record and message not in self._recorded:
                self.mark(message)

    async def _work(self, heartbeat: Heartbeat) -> None:
        """Mark what stands in the queue, one message after the other."""
        while True:
            heartbeat.ended()
            message = await self._queue.get()
            heartbeat.within(MARK_SECONDS)
            try:
                await self._mark(message)
            finally:
                self._in_hand.discard(message)
                self._queue.task_done()
            if self._is_more and self._is_low:
                self.bell.set()

    async def _mark(self, message: UUID) -> None:
        began = self._clock.monotonic()
        try:
            await self._mark_on_server(message)
        except ServerFault as fault:
            self._observe(began, done=False)
            try:
                await self._blame(message, fault)
            except ServerFault as found:
                self._close(found)
            else:
                self._wait_with(message, fault)
            return
        self._observe(began, done=True)
        self._failing.clear()
        self._put_off.pop(message, None)
        if self._closed_for == 0:
            self._server = _NO_WAIT
        if message in self._unrecorded:
            del self._unrecorded[message]
            self._marked_unrecorded.add(message)  # the ledger names it as unmarked once it has the outcome
            return
        self._to_record[message] = None
        self._records.set()

    async def _keep_recording(self) -> None:
        """Give the ledger the marks, many at a time."""
        while True:
            await self._records.wait()
            await self._clock.wait(asyncio.Event(), RECORD_AFTER)
            self._records.clear()
            try:
                await self._record()
            except LedgerFault:  # the poller reports it
                await self._clock.wait(asyncio.Event(), MARK_WAITS.first)
                self._records.set()

    async def _record(self) -> None:
        if messages := [*self._to_record]:
            await self._parts.ledger.marked(messages, self._clock.now())
            self._recorded.update(messages)
            for message in messages:
                del self._to_record[message]

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
        elif fault.retry_after is not None or len(self._put_off) >= MOST_PUT_OFF:
            raise fault
        elif fault.kind is not ServerFaultKind.ERROR:
            self._failing.add(message)
            if len(self._failing) > 1:
                raise fault

    def _wait_with(self, message: UUID, fault: ServerFault) -> None:
        if message not in self._put_off:
            text = f"{fault.detail}; {fault.advice}; it is mailed; the mark is repeated until the server accepts it"
            _log.warning("mark_failed", message_id=message, message=text)
        wait = self._wait(MARK_WAITS.longer(self._put_off.get(message, _NO_WAIT).seconds))
        self._put_off[message] = wait
        if wait.until < self._next_turn:
            self.bell.set()

    def _close(self, fault: ServerFault) -> None:
        """Let all marks wait; those that were being made when the first one failed make it no longer."""
        self._snapshot.note(fault, self._clock.now())
        if self._closed_for == 0:
            self._server = self._wait(fault.retry_after or MARK_WAITS.longer(self._server.seconds))
        elif fault.retry_after is not None:
            self._server = max(self._server, self._wait(fault.retry_after), key=lambda wait: wait.until)
        while not self._queue.empty():
            self._in_hand.discard(self._queue.get_nowait())
            self._queue.task_done()
        self.bell.set()

    @property
    def _closed_for(self) -> float:
        """The seconds for which nothing is to be marked; 0 if the server may be asked."""
        return max(0.0, self._server.until - self._clock.monotonic())

    @property
    def _is_low(self) -> bool:
        return self._queue.qsize() < MOST_QUEUED // 4

    def _is_due(self, message: UUID) -> bool:
        return self._put_off.get(message, _NO_WAIT).until <= self._clock.monotonic()

    def _wait(self, seconds: float) -> "_Wait":
        return _Wait(seconds, self._clock.monotonic() + seconds)


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long something is left alone (seconds), and until when on the monotonic clock."""

    seconds: float
    until: float


_NO_WAIT = _Wait(0.0, float("-inf"))
