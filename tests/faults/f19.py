"""F19: what happens beside a backlog: kills around commits that hold many steps, commands, and what the server does.

Sixteen mails are in flight, and many more are known to be due. Then the sender is killed before or after a commit that
holds the claims, the dots, the outcomes or the marks of many mails; the ledger fails under all of them; an operator
changes what was read ahead; the server withdraws it; templates change on the disk; a new message comes in.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from mail_sender.control.change import change
from mail_sender.control.verbs import VERBS
from mail_sender.errors import LedgerFault
from mail_sender.ledger.states import State
from tests.faults.api_faults import READY, pause
from tests.faults.f18 import prepare
from tests.faults.family import Case, Family, Play
from tests.faults.oracle import Queued
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, Step, first
from tests.faults.rig_record import Heard
from tests.faults.rig_tap import Hook, nothing, tapped
from tests.faults.rig_wire import How

BACKLOG = 60
AT_ONCE_AND_MORE = 24
"""Messages of which as many are in flight as may be; the others, and those behind them, are read ahead."""
AHEAD = 5
"""Messages behind the backlog that something happens to, while they wait for their turn."""
FAST, SLOWER, SLOWEST = 1000.0, 100.0, 1.0
"""Speeds of the clock: the usual one, one at which a poll's messages are fresh for more than a moment, and the
world's, at which what was read ahead stays for a minute."""
LONG_BACKLOG = 200
BETWEEN = 50
"""Mails of a long backlog that may go between the list with a fresh message and that one's mail."""
STALLED = 1.5
"""Seconds for which the relay says nothing at the first dots, so that what was read ahead has to wait."""


def cases(_seed: int) -> Sequence[Case]:
    """Return the cases: a kill before the commit of a dot is no cut at the dot."""
    once: Mapping[str, Play] = {
        "killed when many are claimed, at once": partial(killed, method="begin", side="after"),
        "killed when many are claimed, a while later": partial(killed, method="begin", side="after", later=200.0),
        "killed before the commit of many dots": partial(killed, method="dot", side="before"),
        "killed between marks and their commit": killed_with_marks,
        **{f"the ledger fails: {method}": partial(failing, method=method) for method in _FAILING},
        "an operator gives up what was read ahead": given_up,
        "an operator flushes what was read ahead": flushed,
        "the server marks what was read ahead": partial(withdrawn, how=_mark),
        "the server deletes what was read ahead": partial(withdrawn, how=_delete),
        "a fresh message beside a backlog": fresh,
    }
    copies: Mapping[str, Play] = {
        "killed after the commit of many dots": partial(killed, method="dot", side="after"),
        "killed before the commit of many outcomes": partial(killed, method="settle", side="before"),
        "killed while one outcome is unwritten, and others go on": killed_with_one_outcome,
        "a template changes on the disk between a mail and its copy": changed_template,
    }
    return [
        *(Case(name, play, exactly_once=True) for name, play in once.items()),
        *(Case(name, play) for name, play in copies.items()),
    ]


# Kills


async def killed(rig: Rig, method: str, side: str, later: float = 0.0) -> None:
    """Kill the sender when as many as may be in flight have come to a call; none of them comes any further."""
    prepare(rig, BACKLOG)
    calls: list[Any] = []
    hold = _holding(rig, method, calls)
    before, after = (hold, nothing) if side == "before" else (nothing, hold)
    plain = rig.wraps.ledger
    rig.wraps.ledger = lambda ledger: tapped(plain(ledger), before, after)
    await rig.start()
    at_once = rig.place.connections
    assert await rig.changes.until(lambda: len(calls) >= at_once), f"{len(calls)} calls of {method} at once"
    await pause(rig, later)
    if method == "settle":
        _unheard(rig, calls)
    await rig.crash()
    rig.wraps.ledger = plain
    await rig.start()
    await rig.drained()
    assert all(row.delivery.attempts <= 1 for row in await rig.rows()), "an attempt without a verdict is counted"


def _holding(rig: Rig, method: str, calls: list[Any], holds: Callable[[], bool] = lambda: True) -> Hook:
    """Return a hook that notes the calls of a method, and holds them up for ever, once as many as may be are in flight."""
    rig.relay.behave = lambda _: Behaviour(gathers=rig.place.connections)

    async def hold(name: str, arguments: tuple[Any, ...]) -> None:
        if name == method and rig.relay.most_at_once >= rig.place.connections:
            calls.append(arguments)
            rig.changes.ring()
            if holds():
                await asyncio.Event().wait()

    return hold


async def killed_with_marks(rig: Rig) -> None:
    """Kill the sender when the server has marks that the ledger has not."""
    prepare(rig, BACKLOG)
    calls: list[Any] = []
    rig.wraps.ledger = partial(tapped, before=_holding(rig, "marked", calls))
    await rig.start()

    mails = sum(len(queued.recipients) for queued in rig.queued)

    async def is_all_sent() -> bool:
        return sum(row.delivery.state is State.SENT for row in await rig.rows()) == mails

    assert await rig.changes.until_seen(is_all_sent)
    assert await rig.changes.until(lambda: bool(calls))
    await rig.crash()
    taken = {call.marks for call in rig.api.calls if call.marks}
    assert taken, "the server had no mark"
    rig.wraps.ledger = lambda ledger: ledger
    await rig.start()
    await rig.drained()
    counts = {len(rig.api.marks(message)) for message in taken}
    assert counts == {2}, f"what the ledger had not committed was marked {counts} times"


async def killed_with_one_outcome(rig: Rig) -> None:
    """Kill the sender when one outcome is not committed, and its connection has carried others since."""
    prepare(rig, BACKLOG)
    calls: list[Any] = []
    rig.wraps.ledger = partial(tapped, before=_holding(rig, "settle", calls, lambda: len(calls) == 1))
    await rig.start()
    assert await rig.changes.until(lambda: len(calls) > rig.place.connections), "one outcome holds up all others"
    _unheard(rig, calls[:1])
    await rig.crash()
    rig.wraps.ledger = lambda ledger: ledger
    await rig.start()
    await rig.drained()


def _unheard(rig: Rig, calls: Sequence[Any]) -> None:
    """Note that what the relay said to these deliveries is lost with the sender: their outcomes are not committed."""
    lost = {delivery.recipient for delivery, *_ in calls}
    for place, mail in enumerate(rig.relay.mails):
        if mail.recipient in lost:
            rig.relay.amend(place, Heard.PERHAPS)


# Faults of the ledger

_FAILING = ("begin", "dot", "settle", "marked")


async def failing(rig: Rig, method: str) -> None:
    """Have calls fail that come one after the other, of all that are in flight; then the ledger works again."""
    prepare(rig, BACKLOG)
    rig.relay.behave = lambda _: Behaviour(gathers=rig.place.connections)
    failed: list[str] = []

    async def fail(name: str, _: tuple[Any, ...]) -> None:
        if name == method and rig.relay.most_at_once >= rig.place.connections and len(failed) < rig.place.connections:
            failed.append(name)
            raise LedgerFault("full", "the disk is full", "make room")

    rig.wraps.ledger = partial(tapped, before=fail)
    await rig.start()
    await rig.drained()
    assert len(failed) == rig.place.connections, f"{method} failed {len(failed)} times only"


# What was read ahead


async def given_up(rig: Rig) -> None:
    """Have an operator give messages up that are read ahead: the relay never hears of them."""
    ahead = await _read_ahead(rig)
    for queued in ahead:
        rig.queued[rig.queued.index(queued)] = replace(queued, may_fail=True)
        await _command(rig, "abandon", queued)
    await _all_but(rig, ahead)
    await rig.drained()
    for queued in ahead:
        assert await rig.state(queued) is State.ABANDONED
        assert not rig.relay.asked_for(queued.recipients[0]), "it was offered to the relay"


async def flushed(rig: Rig) -> None:
    """Have an operator make messages due that are read ahead: they go once, though they have changed since."""
    ahead = await _read_ahead(rig)
    for queued in ahead:
        await _command(rig, "flush", queued)
    await _all_but(rig, [])
    await rig.drained()


async def withdrawn(rig: Rig, how: Callable[[Rig, Queued], None]) -> None:
    """Have the server not want messages any more that are read ahead: after its next list they are not mailed."""
    rig.place = replace(rig.place, poll="0 * * * * *")
    ahead = await _stalled(rig)
    for queued in ahead:
        rig.queued.remove(queued)
        how(rig, queued)
    lists = _lists(rig)
    assert await rig.changes.until(lambda: _lists(rig) > lists + 1), "no poll came"
    await rig.drained()
    for queued in ahead:
        assert await rig.changes.until_seen(partial(_is, rig, queued, State.WITHDRAWN)), await rig.state(queued)
        assert not rig.relay.asked_for(queued.recipients[0]), "it was offered to the relay"


async def _read_ahead(rig: Rig) -> list[Queued]:
    """Return messages as `_stalled` does; what was read of them stays, unless something has it read again."""
    ahead = await _stalled(rig)
    rig.clock.run_at(SLOWEST)
    return ahead


async def _all_but(rig: Rig, ahead: Sequence[Queued]) -> None:
    """Wait until all other mails are out, and let the clock run as fast as ever then."""
    mails = sum(len(queued.recipients) for queued in rig.queued) - len(ahead)
    assert await rig.changes.until(lambda: len(rig.relay.mails) >= mails), f"{len(rig.relay.mails)} of {mails} went"
    rig.clock.run_at(FAST)


async def _stalled(rig: Rig) -> list[Queued]:
    """Return messages that are due, while as many others as may be are in flight and hang at their dots."""
    prepare(rig, AT_ONCE_AND_MORE)
    ahead = [rig.mail(f"ahead-{number}@example.net") for number in range(AHEAD)]
    at_once = rig.place.connections
    rig.relay.behave = first(Behaviour(gathers=at_once, delays={Step.DOT: STALLED}), at_once)
    await rig.start()
    assert await rig.changes.until(lambda: rig.relay.most_at_once == at_once)
    return ahead


async def _command(rig: Rig, verb: str, queued: Queued) -> None:
    (delivery,) = await rig.ledger.deliveries(queued.id)
    _, outcome = await change(rig.ledger, rig.clock, VERBS[verb], delivery)
    assert not isinstance(outcome, str), outcome
    rig.wake()


def _mark(rig: Rig, queued: Queued) -> None:
    assert rig.api.store.mark_sent(str(queued.id), time.time_ns())


def _delete(rig: Rig, queued: Queued) -> None:
    rig.api.store._connection.execute("DELETE FROM message WHERE uuid = ?", (str(queued.id),))


def _lists(rig: Rig) -> int:
    return sum(READY in call.path and call.status == 200 for call in rig.api.calls)


async def _is(rig: Rig, queued: Queued, state: State) -> bool:
    return await rig.state(queued) is state


# What comes in between


async def fresh(rig: Rig) -> None:
    """Have a message come in while hundreds wait: it does not go behind them."""
    rig.place = replace(rig.place, poll="0 * * * * *")
    for _ in range(LONG_BACKLOG):
        rig.mail()
    await rig.start()
    assert await rig.changes.until(lambda: len(rig.relay.mails) > rig.place.connections)
    rig.clock.run_at(SLOWER)  # the backlog is older than a minute, and what comes in now is fresh for one
    late, lists = rig.mail("late@example.net"), _lists(rig)
    assert await rig.changes.until(lambda: _lists(rig) > lists + 1), "no poll came"
    before = len(rig.relay.mails)
    assert await rig.changes.until(lambda: bool(rig.relay.asked_for(late.recipients[0]))), "it never went"
    between = len(rig.relay.mails) - before
    assert len(rig.relay.mails) < LONG_BACKLOG, "there was no backlog any more"
    assert between <= BETWEEN, f"{between} mails of the backlog went before it"
    rig.clock.run_at(FAST)


async def changed_template(rig: Rig) -> None:
    """Have a template be another one on the disk when a copy goes: it is the same mail all the same."""
    templates = rig.folder / "templates"
    text = templates / "test_message_v1" / "body.txt.j2"
    text.parent.mkdir(parents=True)
    text.write_text("The first version, for {{ display_name }}.\n")
    rig.place = replace(rig.place, templates=templates)
    rig.relay.behave = first(Behaviour(replies={Step.DOT: b""}, ends={Step.DOT: How.FIN}))
    rig.mail()
    await rig.start()
    assert await rig.changes.until(lambda: len(rig.relay.mails) == 1)
    text.write_text("The second version, for {{ display_name }}.\n")
    await rig.drained()
    assert len(rig.relay.mails) == 2, "no copy went"


FAMILY = Family("F19", "beside a backlog", cases, slice_size=6, together=3)
