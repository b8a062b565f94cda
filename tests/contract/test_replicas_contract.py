"""What `Replicas` promises: who lives, what they say of themselves, and which one polls.

Time passes by `passes`, as in the tests of claims.
"""

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from mail_sender import __version__
from mail_sender.errors import LedgerFault
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres import listening as listening_module
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.replicas import News, Said
from mail_sender.ledger.states import State
from tests.contract.ledgers import admit, due, of_one, outcome
from tests.contract.test_ledger_replicas import BEAT, LEASE, Pair
from tests.support.postgres import Postgres, bouncing
from tests.support.samples import NOW, SECOND, crowd, message

pytestmark = pytest.mark.debian("postgresql")

BEGINS = (News.QUEUE, News.COMMAND)
"""What counts as news to one that begins to listen."""


def eager() -> float:
    """Stand for polling, and let nobody go first."""
    return 0.0


class Three(Pair):
    """Three replicas, all of which stand for polling."""

    async def stand(self, ledger: PostgresLedger) -> PostgresLedger:
        """Have one stand, and say so."""
        ledger.replicas.stand(eager)
        await ledger.beat()
        return ledger


@pytest.fixture
async def three(postgres: Postgres) -> AsyncIterator[tuple[Three, list[PostgresLedger]]]:
    """Give them, each of which knows of the others; the first one polls."""
    made = Three(postgres)
    ledgers = [await made.stand(await made.open()) for _ in range(3)]
    for ledger in ledgers:
        await ledger.beat()
    yield made, ledgers
    for ledger in ledgers:
        await ledger.close()


Given = tuple[Three, list[PostgresLedger]]


def who_polls(ledgers: list[PostgresLedger]) -> list[bool]:
    """Say of each whether it thinks that it polls; whatever they think of others has to agree."""
    polling = [ledger.replicas.polls for ledger in ledgers]
    assert sum(polling) <= 1
    return polling


async def test_each_knows_who_lives_and_what_they_say(three: Given) -> None:
    """Host, process and version, and what each tells of itself, as of its last beat."""
    made, ledgers = three
    first, *_ = ledgers
    ledgers[2].replicas.describe(Said(digest="another", carries=False))
    for ledger in reversed(ledgers):
        await ledger.beat()
    known = first.replicas.known
    assert [one.id for one in known] == [ledger.replicas.id for ledger in ledgers]
    assert {(one.host, one.pid, one.version) for one in known} == {(socket.gethostname(), os.getpid(), __version__)}
    assert [one.said for one in known] == [Said(), Said(), Said("another", carries=False)]
    assert [one.polls for one in known] == [True, False, False]
    assert all(one.since <= one.seen_at for one in known)
    await made.passes(LEASE + BEAT, first)
    assert [one.id for one in first.replicas.known] == [first.replicas.id]


async def test_who_only_reads_is_none_of_them_and_can_ask(three: Given) -> None:
    """A command of an operator has no share, and is not shown."""
    made, ledgers = three
    reader = await PostgresLedger.open(made.target, reads_only=True)
    try:
        found = await reader.replicas.read()
    finally:
        await reader.close()
    assert [one.id for one in found] == [ledger.replicas.id for ledger in ledgers]


async def test_one_polls_as_long_as_it_beats(three: Given) -> None:
    """However long: the others take it when its lease has run out, and one of them alone."""
    made, ledgers = three
    await made.passes(4 * LEASE, *ledgers)
    assert who_polls(ledgers) == [True, False, False]
    await made.passes(LEASE - BEAT, *ledgers[1:])
    assert [ledger.replicas.polls for ledger in ledgers[1:]] == [False, False]
    await made.passes(2 * BEAT, *ledgers[1:])
    assert [ledger.replicas.polls for ledger in ledgers[1:]] == [True, False]
    await ledgers[0].beat()
    assert who_polls(ledgers) == [False, True, False]


async def test_a_replica_that_stands_still_stops_before_another_one_begins(
    three: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its own clock says so, from before the beat on that gave it the lease."""
    _, (first, *_) = three
    assert first.replicas.polls
    monkeypatch.setattr(first.replicas, "_polls_until", first.replicas._polls_until - claims.LEASE)
    assert not first.replicas.polls


async def test_a_clean_stop_lets_another_one_poll_at_its_next_beat(three: Given) -> None:
    """No lease has to run out."""
    _, ledgers = three
    await ledgers[0].close()
    await ledgers[1].beat()
    assert who_polls(ledgers) == [False, True, False]


async def test_who_gives_it_up_lets_others_go_first(three: Given) -> None:
    """As long as it has patience; where nobody else takes it, it has it again."""
    made, ledgers = three
    first = ledgers[0]
    first.replicas.stand(lambda: 2 * claims.BEAT)
    await first.replicas.give_up_polling()
    assert not first.replicas.polls
    await first.beat()
    await made.passes(BEAT, first)
    assert who_polls(ledgers) == [False, False, False]
    await made.passes(BEAT + SECOND, first)
    assert who_polls(ledgers) == [True, False, False]
    await first.replicas.give_up_polling()
    await ledgers[2].beat()
    assert who_polls(ledgers) == [False, False, True]


async def test_who_does_not_stand_for_it_any_more_keeps_it_until_its_lease_ends(three: Given) -> None:
    """A poller that hangs beats on."""
    made, ledgers = three
    ledgers[0].replicas.stand(lambda: None)
    await made.passes(LEASE - BEAT, *ledgers)
    assert not any(ledger.replicas.polls for ledger in ledgers[1:])
    await made.passes(2 * BEAT, *ledgers)
    assert who_polls(ledgers) == [False, True, False]


async def test_a_clock_that_was_set_back_keeps_nobody_polling(three: Given) -> None:
    """A lease that lasts longer than any was written by a clock that ran ahead."""
    made, ledgers = three
    made.server.move_clock(made.target, timedelta(hours=1))
    await ledgers[1].beat()
    assert ledgers[1].replicas.polls


async def test_who_cannot_mail_has_no_share_of_what_is_due(three: Given) -> None:
    """The others have it at once; where nobody can, each has its share again."""
    _, ledgers = three
    await admit(ledgers[0], *(messages := crowd(30)))
    everything = {of.id for of in messages}
    ledgers[2].replicas.describe(Said(carries=False))
    for ledger in (ledgers[2], *ledgers):
        await ledger.beat()
    shares = [{*await due(ledger)} for ledger in ledgers]
    assert shares[2] == set()
    assert (shares[0] | shares[1], shares[0] & shares[1]) == (everything, set())
    for ledger in ledgers:
        ledger.replicas.describe(Said(carries=False))
    for ledger in [*ledgers, *ledgers]:
        await ledger.beat()
    shares = [{*await due(ledger)} for ledger in ledgers]
    assert all(shares)
    assert set.union(*shares) == everything


class Ear:
    """What a replica hears, without what it takes for news when it begins to listen."""

    def __init__(self) -> None:
        self.heard: list[News] = []
        self._more = asyncio.Event()

    def hear(self, news: News) -> None:
        """Take news."""
        self.heard.append(news)
        self._more.set()

    async def until(self, *news: News) -> None:
        """Wait until that was heard, and nothing else before it; then forget it."""
        async with asyncio.timeout(30):
            while len(self.heard) < len(news):
                self._more.clear()
                await self._more.wait()
        assert self.heard == list(news)
        self.heard.clear()


@contextmanager
def listening(*ledgers: PostgresLedger) -> Iterator[list[Ear]]:
    """Have them listen."""
    with ExitStack() as opened:
        ears = [Ear() for _ in ledgers]
        for ledger, ear in zip(ledgers, ears, strict=True):
            opened.enter_context(ledger.replicas.hearing(ear.hear))
        yield ears


async def test_what_is_taken_up_is_news_to_the_others(three: Given) -> None:
    """Once for a transaction, and only where something is new; who took it up needs no news of it."""
    _, ledgers = three
    messages = crowd(5)
    with listening(*ledgers) as ears:
        for ear in ears:
            await ear.until(*BEGINS)  # it has just begun to listen
        await admit(ledgers[0], *messages)
        await ears[1].until(News.QUEUE)
        await admit(ledgers[0], *messages)
        await ledgers[1].replicas.announce(News.REPLICAS)
        await ears[2].until(News.QUEUE, News.REPLICAS)
        await ears[0].until(News.REPLICAS)


async def test_an_operators_command_is_news_to_the_others(three: Given) -> None:
    """Whichever replica, or command of its own, carries it out; what the flow itself writes is none."""
    made, ledgers = three
    of = message()
    await admit(ledgers[0], of)
    alone = await PostgresLedger.open(made.target)
    with listening(*ledgers[:2]) as ears:
        for ear in ears:
            await ear.until(*BEGINS)
        found = await ledgers[0].begin(await of_one(ledgers[0], of))
        await ledgers[0].settle(found, outcome(State.ABANDONED), NOW)
        await alone.apply_command(await of_one(alone, of), outcome(State.QUEUED), NOW)
        for ear in ears:
            await ear.until(News.COMMAND)
    await alone.close()


async def test_who_leaves_or_gives_up_polling_is_news(three: Given) -> None:
    """So that another one takes it at once."""
    _, (first, second, third) = three
    with listening(second) as (ear,):
        await ear.until(*BEGINS)
        await first.replicas.give_up_polling()
        await ear.until(News.REPLICAS)
        await third.close()
        await ear.until(News.REPLICAS)


async def test_what_comes_in_parts_is_not_due_before_all_of_it_is_there(three: Given) -> None:
    """For no replica: it goes in its order. What was due before goes on, and a replica that is gone holds up nothing."""
    made, ledgers = three
    first, *others = ledgers
    earlier, *parts = crowd(5)
    await admit(first, earlier, now=NOW - SECOND)
    await first.replicas.taking_up(NOW)
    await first.beat()
    await admit(first, *parts)
    for ledger in ledgers:
        assert {*await due(ledger)} <= {earlier.id}
        assert {one.message for one in await ledger.fresh(NOW, NOW - 2 * SECOND, 100)} <= {earlier.id}
    with listening(others[0]) as (ear,):
        await ear.until(*BEGINS)
        await first.replicas.taking_up(None)
        await ear.until(News.QUEUE)
    everything = {earlier.id, *(of.id for of in parts)}
    assert {id_ for ledger in ledgers for id_ in await due(ledger)} == everything
    await first.replicas.taking_up(NOW)
    await made.passes(LEASE + BEAT, *others)
    assert {id_ for ledger in others for id_ in await due(ledger)} == everything


async def test_that_all_of_a_list_is_there_is_said_with_the_next_beat_where_it_could_not_be_said_at_once(
    three: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that is away for a moment keeps no mail waiting for longer."""
    _, (first, *others) = three
    of = message()
    await first.replicas.taking_up(NOW)
    await admit(first, of)

    async def away(_: object) -> None:
        raise LedgerFault("cut", "it is away", "wait")

    with monkeypatch.context() as patched:
        patched.setattr(first.replicas._database, "run", away)
        with pytest.raises(LedgerFault):
            await first.replicas.taking_up(None)
    each = (first, *others)
    assert [await due(ledger) for ledger in each] == [[], [], []]
    await first.beat()
    assert [id_ for ledger in each for id_ in await due(ledger)] == [of.id]


@pytest.mark.debian("pgbouncer")
@pytest.mark.parametrize("mode", ["transaction", "session"])
async def test_where_no_notifications_come_through_there_may_be_news_every_second(
    postgres: Postgres, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """PgBouncer takes a LISTEN and drops what comes, unless a session is one: found out by trying, and said once."""
    if mode == "transaction":
        monkeypatch.setattr(listening_module, "PROBED_FOR", 0.2)
    with bouncing(postgres, mode) as folder, capture_logs() as events:
        here = postgres.target()
        ledger = await PostgresLedger.open(postgres.target(here.schema, host=folder))
        other = await PostgresLedger.open(here)
        await ledger.replicas.stop_beating()
        with listening(ledger) as (ear,):
            if mode == "session":
                await ear.until(*BEGINS)
                await admit(other, message())
                await ear.until(News.QUEUE)
            else:
                await ear.until(*BEGINS)
                await ear.until(*BEGINS)
        await ledger.close()
        await other.close()
    assert [event["event"] for event in events] == ["not_notified"] * (mode == "transaction")


async def test_a_change_is_heard_of_with_the_next_beat(three: Given) -> None:
    """Who comes, goes, polls or says something else; not that all is as it was."""
    made, (first, second, third) = three
    with listening(second) as (ear,):
        await ear.until(*BEGINS)
        await second.beat()
        first.replicas.describe(Said("another"))
        await first.beat()
        assert ear.heard == []
        await second.beat()
        assert ear.heard == [News.REPLICAS]
        await made.passes(LEASE + BEAT, second, third)
        assert ear.heard == [News.REPLICAS] * 2
        assert [one.id for one in second.replicas.known] == [second.replicas.id, third.replicas.id]
