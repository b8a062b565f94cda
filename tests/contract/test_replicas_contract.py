"""What `Replicas` promises: who lives, what they say of themselves, and which one polls.

Time passes by `passes`, as in the tests of claims.
"""

import os
import socket
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from mail_sender import __version__
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.replicas import News, Said
from tests.contract.ledgers import admit, due
from tests.contract.test_ledger_replicas import BEAT, LEASE, Pair
from tests.support.postgres import Postgres
from tests.support.samples import SECOND, crowd

pytestmark = pytest.mark.debian("postgresql")


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
    """Give them; the first one polls."""
    made = Three(postgres)
    ledgers = [await made.stand(await made.open()) for _ in range(3)]
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


async def test_a_change_is_heard_of_with_the_next_beat(three: Given) -> None:
    """Who comes, goes, polls or says something else; not that all is as it was."""
    _, ledgers = three
    heard: list[News] = []
    first, second, third = ledgers
    with second.replicas.hearing(heard.append):
        await second.beat()
        heard.clear()
        await second.beat()
        assert heard == []
        first.replicas.describe(Said("another"))
        await first.beat()
        await second.beat()
        assert heard == [News.REPLICAS]
        await third.close()
        await second.beat()
        assert heard == [News.REPLICAS] * 2
    await first.close()
    await second.beat()
    assert heard == [News.REPLICAS] * 2
    assert [one.id for one in second.replicas.known] == [second.replicas.id]


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
