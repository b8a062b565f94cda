"""Acknowledge: tell the server what is sent, until it has heard it; never a reason for another mail.

1. Whenever a message becomes unmarked, and at every later chance, each unmarked message is told, two at a time,
   oldest first. One that the server chokes on waits, longer each time, and holds up no other.
2. Where the server answers none of two messages, or asks to be left alone, everything waits, longer each time.
3. 404 means that the server does not know the message any more, or that our account has lost its group: which of
   the two, the account's standing tells. 401 and 403 are the token's, unless its standing is good: then they are
   this message's.

What is left over when the program ends is told after the next start, since the ledger knows.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import structlog

from mail_sender.backoff import IDLE_WAIT, MARK_WAITS
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, MessageGone, ServerFault, ServerFaultKind
from mail_sender.ledger.base import Ledger
from mail_sender.sender.snapshot import OF_THE_TOKEN, Snapshot
from mail_sender.source.base import Source

_log = structlog.get_logger()

_AT_A_TIME = 2


class Acknowledger:
    """The loop that tells the server. `bell` is rung when there may be something to tell."""

    def __init__(self, source: Source, ledger: Ledger, snapshot: Snapshot, clock: Clock) -> None:
        self.bell = asyncio.Event()
        self._source = source
        self._ledger = ledger
        self._snapshot = snapshot
        self._clock = clock
        self._unwritten: dict[UUID, None] = {}
        self._put_off: dict[UUID, _Wait] = {}
        self._failing: set[UUID] = set()
        self._heard: set[UUID] = set()  # told, but the ledger does not know it yet
        self._server = _OPEN

    def tell_anyway(self, message: UUID) -> None:
        """Have the server told of a message that is sent, although the ledger could not write it."""
        self._unwritten[message] = None
        self.bell.set()

    async def run(self, ending: asyncio.Event) -> None:
        """Tell until `ending` is set and what is due by then was told, or tried."""
        while True:
            self.bell.clear()
            last = ending.is_set()
            wait = await self._tell_all()
            if last:
                return
            if not ending.is_set():
                await self._clock.wait(self.bell, wait)

    async def _tell_all(self) -> float:
        """Tell what is due; return the seconds until there is more to do."""
        if (closed := self._server.until - self._clock.monotonic()) > 0:
            return closed
        try:
            await self._tell_due([*self._unwritten])
            unmarked = await self._ledger.unmarked(self._clock.now())
            self._forget_others([*self._unwritten, *unmarked])
            await self._tell_due(unmarked)
        except ServerFault as fault:
            self._snapshot.note(fault, self._clock.now())
            self._server = self._wait(fault.retry_after or MARK_WAITS.longer(self._server.seconds))
            return self._server.seconds
        except LedgerFault:
            return MARK_WAITS.first  # the poller says it
        waits = [wait.until - self._clock.monotonic() for wait in self._put_off.values()]
        return max(min(waits, default=IDLE_WAIT), 0.1)

    async def _tell_due(self, messages: Sequence[UUID]) -> None:
        due = [message for message in messages if self._is_due(message)]
        for start in range(0, len(due), _AT_A_TIME):
            await self._tell_some(due[start : start + _AT_A_TIME])

    async def _tell_some(self, messages: Sequence[UUID]) -> None:
        """Tell of a few messages at once; raises what is not one message's own."""
        results = await asyncio.gather(*(self._tell(message) for message in messages), return_exceptions=True)
        for result in results:
            if isinstance(result, BaseException):
                raise result

    async def _tell(self, message: UUID) -> None:
        if message not in self._heard:
            try:
                await self._mark(message)
            except ServerFault as fault:
                await self._blame(message, fault)
                self._wait_with(message, fault)
                return
            self._heard.add(message)
        self._failing.clear()
        self._server = _OPEN
        self._unwritten.pop(message, None)
        await self._ledger.marked(message, self._clock.now())
        self._heard.discard(message)

    async def _mark(self, message: UUID) -> None:
        try:
            await self._source.mark_sent(message)
            _log.info("marked", message_id=message)
        except MessageGone:
            await self._source.standing()
            _log.warning(
                "message_gone", message_id=message, message="mailed, but the server does not know it any more"
            )

    async def _blame(self, message: UUID, fault: ServerFault) -> None:
        """Raise what concerns every message; return where it may be this one's."""
        if fault.kind in OF_THE_TOKEN:
            await self._source.standing()
        elif fault.retry_after is not None:
            raise fault
        elif fault.kind is not ServerFaultKind.ERROR:
            self._failing.add(message)
            if len(self._failing) > 1:
                raise fault

    def _wait_with(self, message: UUID, fault: ServerFault) -> None:
        if message not in self._put_off:
            say = f"{fault.detail}; {fault.advice}; it is mailed, and told again until the server has heard it"
            _log.warning("mark_failed", message_id=message, message=say)
        self._put_off[message] = self._wait(MARK_WAITS.longer(self._put_off.get(message, _OPEN).seconds))

    def _wait(self, seconds: float) -> "_Wait":
        return _Wait(seconds, self._clock.monotonic() + seconds)

    def _is_due(self, message: UUID) -> bool:
        return self._put_off.get(message, _OPEN).until <= self._clock.monotonic()

    def _forget_others(self, unmarked: Sequence[UUID]) -> None:
        known = set(unmarked)
        self._put_off = {message: wait for message, wait in self._put_off.items() if message in known}


@dataclass(frozen=True, slots=True)
class _Wait:
    """How long something is left alone (seconds), and until when on the monotonic clock."""

    seconds: float
    until: float


_OPEN = _Wait(0.0, float("-inf"))
