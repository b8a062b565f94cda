"""The handler carries out commands, on the ledger of a running sender or on one that was opened for a command.

A command is answered by response lines (`response`). The table in `verbs` says what a verb makes of a delivery; a
verb that does more has a method here. If something cannot be done, the last line says why; nothing is raised.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from mail_sender.clock import Clock
from mail_sender.control import held_back, lookup, response
from mail_sender.control.change import Decide, change
from mail_sender.control.command import Command
from mail_sender.control.flush import Flush, Flushed
from mail_sender.control.lookup import CannotCarryOut
from mail_sender.control.response import ResponseLine
from mail_sender.control.verbs import IN_FLIGHT
from mail_sender.errors import Exit, LedgerFault, MessageGone, ServerFault
from mail_sender.ledger.base import Delivery, Entry, Ledger, Outcome, Query
from mail_sender.ledger.replicas import News
from mail_sender.observe.ledger_alone import LedgerAlone
from mail_sender.observe.words import deliveries
from mail_sender.sender import events
from mail_sender.sender.holding import HeldBack
from mail_sender.source.base import Source

if TYPE_CHECKING:
    from mail_sender.observe.reporter import Reporter
    from mail_sender.sender.worker import Worker

Lines = AsyncGenerator[ResponseLine, None]

_NOTHING_FITS = "nothing in the ledger matches"
_LEFT = "was in flight when its sender ended: start one, which finds out what became of it"


class Handler:
    """Carries out commands.

    Without a source nothing can be sent again, without a worker nothing is sent by this process, without a reporter
    no status is known. With `LedgerAlone` the ledger was opened for the command; senders that share it may run
    elsewhere.
    """

    def __init__(
        self,
        ledger: Ledger,
        source: Source | None,
        clock: Clock,
        worker: "Worker | None" = None,
        reporter: "Reporter | LedgerAlone | None" = None,
    ) -> None:
        self._ledger = ledger
        self._source = source
        self._clock = clock
        self._worker = worker
        self._reporter = reporter
        self._elsewhere = 0
        """How many senders run elsewhere, as far as that matters: none of them was asked."""

    async def answer(self, command: Command) -> Lines:
        """Carry out a command, and yield the lines of its response; the last one is its `end`."""
        special: dict[str, Callable[[Command], Lines]] = {
            "list": self._list,
            "show": self._show,
            "flush": self._flush,
            "resend": self._resend,
            "status": self._status,
            "health": self._health,
        }
        carry_out = special.get(command.verb, self._change)
        try:
            if isinstance(self._reporter, LedgerAlone) and command.row.is_of_queue:
                for line in await self._who_sends(self._reporter):
                    if command.before is None:
                        yield line
            async with aclosing(carry_out(command)) as lines:
                async for line in lines:
                    yield line
        except LedgerFault as fault:
            yield response.end(Exit.TEMPORARY, f"the ledger: {fault}")
        except ServerFault as fault:
            yield response.end(Exit.TEMPORARY, f"the identity server: {fault}")
        except CannotCarryOut as error:
            yield response.end(Exit.FAILED, str(error))

    async def _who_sends(self, alone: LedgerAlone) -> list[ResponseLine]:
        """Find out whether a sender runs, and return what is to be said of it."""
        self._elsewhere = len(await alone.replicas())
        of_ledger = [response.ledger(alone.place, self._elsewhere)] if self._ledger.is_shared else []
        return of_ledger if self._elsewhere else [*of_ledger, response.no_sender()]

    @property
    def _has_sender(self) -> bool:
        return self._worker is not None or self._elsewhere > 0

    async def _list(self, command: Command) -> Lines:
        if command.before is None:
            for line in self._conditions():
                yield line
        limit = min(command.limit or lookup.PAGE, lookup.PAGE)
        found = await self._ledger.find(command.query, limit, command.before)
        for entry in found:
            yield self._entry(entry, command, whole=False)
        yield response.end(Exit.DONE, before=found[-1].number if len(found) == limit else None)

    async def _show(self, command: Command) -> Lines:
        query = replace(command.query, message=str(await lookup.message(self._ledger, command.message or "")))
        for line in self._conditions():
            yield line
        found = False
        async for entry in lookup.entries(self._ledger, query):
            found = True
            yield self._entry(entry, command, whole=True)
        yield response.end(Exit.DONE) if found else response.end(Exit.FAILED, _NOTHING_FITS)

    def _entry(self, entry: Entry, command: Command, *, whole: bool) -> ResponseLine:
        return response.entry(
            entry,
            show_addresses=command.show_addresses,
            whole=whole,
            has_sender=self._has_sender,
            held_back=held_back.of(entry, self._held_back(), self._clock.now()),
        )

    def _held_back(self) -> tuple[HeldBack, ...]:
        return self._worker.held_back() if self._worker else ()

    async def _change(self, command: Command, decide: Decide | None = None) -> Lines:
        """Change every delivery that a command means, page by page."""
        done = left = 0
        query = command.query
        if command.message is not None:
            query = replace(query, message=str(await lookup.message(self._ledger, command.message)))
        async for entries in lookup.pages(self._ledger, query):
            changes = (change(self._ledger, self._clock, command.row, entry.delivery, decide) for entry in entries)
            for delivery, outcome in await asyncio.gather(*changes):
                changed = isinstance(outcome, Outcome)
                done, left = done + changed, left + (not changed)
                said = _LEFT if outcome == IN_FLIGHT and self._ledger.is_shared and not self._has_sender else outcome
                yield response.result(delivery, said, show_addresses=command.show_addresses)
        if done and self._worker:
            events.operator_command(command.verb, query.message, deliveries(done))
            self._worker.wake()
        for line in self._conditions() if done else ():
            yield line
        yield response.end(Exit.DONE if done else Exit.FAILED, self._counted(done, left))

    def _counted(self, done: int, left: int) -> str:
        if not done:
            return "nothing was changed" if left else _NOTHING_FITS
        rest = f", {left} left as they were" if left else ""
        when = "" if self._has_sender else "; no sender runs: it takes effect when one starts"
        return f"{deliveries(done)} changed{rest}{when}"

    async def _resend(self, command: Command) -> Lines:
        """Queue copies of a message that the server still has, for those who are still among its recipients."""
        id_ = await lookup.message(self._ledger, command.message or "")
        if self._source is None:
            raise CannotCarryOut("cannot ask the identity server for the message: the configuration has faults")
        if id_ in await self._ledger.unmarked(self._clock.now()):
            raise CannotCarryOut("the first copy is not marked as sent on the server yet: try again in a moment")
        try:
            message = (await self._source.read(id_)).message
        except MessageGone:
            why = "the identity server does not have the message any more: nothing can be sent"
            raise CannotCarryOut(why) from None

        def decide(delivery: Delivery, now: datetime) -> Outcome | str:
            deadline = min(message.deadline, delivery.deadline)
            outcome = command.row.decide(replace(delivery, deadline=deadline), now)
            if isinstance(outcome, Outcome) and delivery.recipient not in message.recipients:
                return "is not among the message's recipients any more"
            return outcome

        async for line in self._change(command, decide):
            yield line

    async def _flush(self, command: Command) -> Lines:
        """Make everything due that waits, and watch until each delivery had its attempt."""
        waiting: dict[int, int] = {}
        async for entries in lookup.pages(self._ledger, Query(command.row.takes, command.recipient)):
            changes = (change(self._ledger, self._clock, command.row, entry.delivery) for entry in entries)
            for entry, (delivery, outcome) in zip(entries, await asyncio.gather(*changes), strict=True):
                if isinstance(outcome, Outcome):
                    waiting[entry.number] = delivery.claim + 1
            yield response.progress(0, len(waiting))
        if self._ledger.replicas and self._has_sender:
            await self._ledger.replicas.announce(News.FLUSH)
        if not waiting:
            yield response.end(Exit.DONE, f"nothing is queued or held{self._probe_next()}")
        elif not self._has_sender:
            due = f"{deliveries(len(waiting))} made due"
            yield response.end(Exit.TEMPORARY, f"{due}; no sender runs: mail goes out when one starts")
        else:
            if self._worker:
                events.operator_command(command.verb, None, deliveries(len(waiting)))
                self._worker.probe()
            flush = Flush(self._ledger, self._clock, waiting, self._held_back)
            async for step in flush.watch():
                yield step
            result = self._explained(flush.result)
            yield response.end(result.exit_code, str(result))

    def _probe_next(self) -> str:
        """Have the next mail probe a relay whose breaker is open, and say so: a fallback may carry all that comes."""
        if self._worker is None or self._worker.probes_in() is None:
            return ""
        self._worker.probe()
        return "; the next mail probes the relay"

    async def _status(self, _: Command) -> Lines:
        if self._reporter is None:
            raise CannotCarryOut("nothing is known of a sender")
        yield response.status(await self._reporter.status())
        yield response.end(Exit.DONE)

    async def _health(self, _: Command) -> Lines:
        health = self._reporter.health() if self._reporter else None
        if health is None:
            yield response.end(Exit.NO_SENDER, "no sender runs")
        else:
            yield response.health(health)
            yield response.end(Exit.DONE)

    def _explained(self, result: Flushed) -> Flushed:
        """Return the result, with what makes the relay unusable also where none of these deliveries has met it."""
        faults = self._worker.faults() if self._worker else []
        known = [f"{fault.kind}: {fault.detail}" for fault in faults if fault.name == "relay"]
        return replace(result, relay_fault=result.relay_fault or next(iter(known), None))

    def _conditions(self) -> Iterator[ResponseLine]:
        if self._worker is None:
            return
        for fault in self._worker.faults():
            yield response.condition(fault, self._worker.probes_in() if fault.name == "relay" else None)
        for held in self._held_back():
            yield response.held_back(held, self._clock.now())
