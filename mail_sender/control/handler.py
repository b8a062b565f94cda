"""The desk: where the operator's orders are carried out, on the ledger of a running sender or on one in hand.

An order is answered by lines (`answer.py`); what it makes of a delivery is decided beside it (`order.py`). What
cannot be done is said in a sentence, never raised. Every change is an order to the ledger under the claim that was
read; what changed meanwhile is read again, and decided anew.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import Protocol
from uuid import UUID

from mail_sender.clock import Clock
from mail_sender.condition import Fault
from mail_sender.control import command, response
from mail_sender.control.command import Command, Verb
from mail_sender.control.flush import Flush, Flushed
from mail_sender.control.response import Line
from mail_sender.errors import Exit, LedgerFault, MessageGone, ServerFault
from mail_sender.ledger.base import Delivery, Entry, Fenced, Ledger, Outcome, Query
from mail_sender.ledger.states import IllegalMove, State
from mail_sender.sender import events
from mail_sender.source.base import Source

Lines = AsyncGenerator[Line, None]
Decide = Callable[[Delivery], Outcome | str]

PAGE = 500
"""Deliveries that are read or changed together."""

_TRIES = 5
_MOST_CANDIDATES = 5
_NOTHING_FITS = "nothing in the ledger fits that"


class Runner(Protocol):
    """The running sender, as far as the desk needs it."""

    def wake(self) -> None:
        """Look at the ledger now."""
        ...

    def probe(self) -> None:
        """Look at the ledger now, and let the next letter test a lane that is shut, whatever its wait."""
        ...

    def faults(self) -> list[Fault]:
        """Return what is wrong with the relay, the server or the ledger."""
        ...

    def probes_in(self) -> float | None:
        """Return the seconds until the relay is tried again, where its lane is shut and nobody is on the way."""
        ...


class Handler:
    """Carries out orders. Without a source nothing can be sent again, without a runner nothing is sent now."""

    def __init__(self, ledger: Ledger, source: Source | None, clock: Clock, runner: Runner | None = None) -> None:
        self._ledger = ledger
        self._source = source
        self._clock = clock
        self._runner = runner

    async def answer(self, what: Command) -> Lines:
        """Carry out an order, and yield what comes of it; the last line is its end."""
        carry_out: dict[str, Callable[[Command], Lines]] = {
            "list": self._list,
            "show": self._show,
            "retry": self._retry,
            "flush": self._flush,
            "abandon": self._abandon,
            "resend": self._resend,
        }
        try:
            async with aclosing(carry_out[what.verb](what)) as lines:
                async for line in lines:
                    yield line
        except LedgerFault as fault:
            yield response.end(Exit.TEMPORARY, f"the ledger: {fault}")
        except ServerFault as fault:
            yield response.end(Exit.TEMPORARY, f"the identity server: {fault}")
        except _Unfit as error:
            yield response.end(Exit.FAILED, str(error))

    # Looking

    async def _list(self, what: Command) -> Lines:
        if what.before is None:
            for line in self._conditions():
                yield line
        limit = min(what.limit or PAGE, PAGE)
        found = await self._ledger.find(what.query, limit, what.before)
        for entry in found:
            yield response.entry(entry, show_addresses=what.show_addresses, whole=False)
        yield response.end(Exit.DONE, before=found[-1].number if len(found) == limit else None)

    async def _show(self, what: Command) -> Lines:
        query = replace(what.query, message=str(await self._message(what.message or "")))
        for line in self._conditions():
            yield line
        found = False
        async for entry in self._entries(query):
            found = True
            yield response.entry(entry, show_addresses=what.show_addresses, whole=True)
        yield response.end(Exit.DONE) if found else response.end(Exit.FAILED, _NOTHING_FITS)

    def _conditions(self) -> Iterator[Line]:
        if self._runner is None:
            return
        for fault in self._runner.faults():
            yield response.condition(fault, self._runner.probes_in() if fault.name == "relay" else None)

    # Changing

    async def _retry(self, what: Command) -> Lines:
        async for line in self._change(what, lambda delivery: command.retried(delivery, self._clock.now())):
            yield line

    async def _abandon(self, what: Command) -> Lines:
        async for line in self._change(what, lambda delivery: command.abandoned(delivery, self._clock.now())):
            yield line

    async def _resend(self, what: Command) -> Lines:
        id_ = await self._message(what.message or "")
        if self._source is None:
            raise _Unfit("the identity server cannot be asked for the message: the configuration has faults")
        if id_ in await self._ledger.unmarked(self._clock.now()):
            raise _Unfit("the server has not been told of the first copy yet: try again in a moment")
        try:
            message = (await self._source.read(id_)).message
        except MessageGone:
            raise _Unfit("the identity server does not have the message any more: nothing can be sent") from None
        async for line in self._change(what, lambda found: command.sent_again(found, message, self._clock.now())):
            yield line

    async def _change(self, what: Command, decide: Decide) -> Lines:
        """Have every delivery that an order means changed, page by page."""
        query = what.query
        if what.message is not None:
            query = replace(query, message=str(await self._message(what.message)))
        done = left = 0
        async for entries in self._pages(query):
            ends = await asyncio.gather(*(self._ordered(entry.delivery, decide, what.verb) for entry in entries))
            for entry, (changed, say) in zip(entries, ends, strict=True):
                done, left = done + changed, left + (not changed)
                yield response.did(entry.delivery, show_addresses=what.show_addresses, done=changed, say=say)
        if done and self._runner:
            events.ordered(what.verb, what.message, done)
            self._runner.wake()
        for line in self._conditions() if done else ():
            yield line
        yield response.end(Exit.DONE if done else Exit.FAILED, self._told(done, left))

    def _told(self, done: int, left: int) -> str:
        if not done:
            return "nothing was changed" if left else _NOTHING_FITS
        rest = f", {left} left as they were" if left else ""
        when = "" if self._runner else "; no sender runs: it takes effect when one starts"
        return f"{_count(done)} changed{rest}{when}"

    async def _ordered(self, delivery: Delivery, decide: Decide, verb: Verb) -> tuple[bool, str]:
        """Order what is decided of a delivery; return whether that was done, and what to say."""
        for _ in range(_TRIES):
            outcome = decide(delivery)
            if isinstance(outcome, str):
                return False, outcome
            now = self._clock.now()
            try:
                # A flush changes nothing but the time, of thousands at once: it leaves no line.
                line = None if verb == "flush" else command.line(verb, now)
                await self._ledger.apply_command(delivery, outcome, now, line)
            except (Fenced, IllegalMove):
                fresh = await self._ledger.deliveries(delivery.message)
                same = [found for found in fresh if found.recipient == delivery.recipient]
                if not same:
                    return False, "is not in the ledger any more"
                delivery = same[0]
            else:
                return True, command.told(delivery, outcome)
        return False, command.IN_FLIGHT

    # Flushing

    async def _flush(self, what: Command) -> Lines:
        flush = Flush(self._ledger, self._clock)
        async for entries in self._pages(Query(frozenset({State.QUEUED, State.HELD}), what.recipient)):
            await asyncio.gather(*(self._now(entry, flush) for entry in entries))
            yield response.progress(0, len(flush.waiting))
        if not flush.waiting:
            yield response.end(Exit.DONE, "nothing is queued or held")
            return
        if self._runner is None:
            say = f"{_count(len(flush.waiting))} made due; no sender runs: mail goes out when one starts"
            yield response.end(Exit.DONE, say)
            return
        self._runner.probe()
        async for seen in flush.watch():
            yield response.progress(seen.count, seen.total)
        yield response.end(Exit.TEMPORARY if flush.waiting else Exit.DONE, _summary(self._judged(flush.result)))

    def _judged(self, result: Flushed) -> Flushed:
        """Return what was seen, with what shuts the lane also where no delivery of these has met it."""
        shut = [one for one in (self._runner.faults() if self._runner else ()) if one.name == "relay"]
        return replace(result, breaker=f"{shut[0].kind}: {shut[0].detail}") if shut and not result.breaker else result

    async def _now(self, entry: Entry, flush: Flush) -> None:
        """Make a delivery due now, and have the flush wait for its attempt."""

        def decide(delivery: Delivery) -> Outcome | str:
            flush.waiting[entry.number] = delivery.claim + 1
            return command.due_now(delivery, self._clock.now())

        done, _ = await self._ordered(entry.delivery, decide, "flush")
        if not done:
            flush.waiting.pop(entry.number, None)

    # Finding

    async def _message(self, start: str) -> UUID:
        """Return the one message whose id begins so.

        Raises `_Unfit` where there is none, or more than one.
        """
        found: dict[UUID, None] = {}
        async for entry in self._entries(Query(message=start)):
            found[entry.delivery.message] = None
            if len(found) > _MOST_CANDIDATES:
                break
        if not found:
            raise _Unfit(f"no message in the ledger has an id that begins with {start}")
        if len(found) > 1:
            raise _Unfit(f"more than one message begins with {start}: {', '.join(map(str, found))}")
        return next(iter(found))

    async def _entries(self, query: Query) -> AsyncGenerator[Entry, None]:
        async for entries in self._pages(query):
            for entry in entries:
                yield entry

    async def _pages(self, query: Query) -> AsyncGenerator[list[Entry], None]:
        before: int | None = None
        find = partial(self._ledger.find, query, PAGE)
        while entries := list(await find(before)):
            yield entries
            before = entries[-1].number


class _Unfit(Exception):
    """An order that cannot be carried out; the message is the sentence to say."""


def _count(number: int) -> str:
    return "1 delivery" if number == 1 else f"{number} deliveries"


def _summary(result: Flushed) -> str:
    parts = [f"{count} {what}" for what, count in result.became.most_common()]
    told = f"{_count(result.total)}: {', '.join(parts) or 'none was tried'}"
    if result.breaker:
        told += f"; the way to the relay is shut ({result.breaker})"
    if not result.left:
        return told
    why = "" if result.breaker else "; no attempt was seen for a while: look at the sender's log"
    return f"{told}; {result.left} still queued, and tried by themselves{why}"
