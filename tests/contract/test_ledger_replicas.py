"""What a ledger promises that several replicas share: each rule of claims and leases, where it matters.

Time passes by `passes`, which moves what the database's clock has written instead of the clock.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from uuid import UUID

import pytest

from mail_sender import clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Attempt, Delivery, Fenced
from mail_sender.ledger.outages import Report
from mail_sender.ledger.postgres import claims, marks
from mail_sender.ledger.postgres.connection import Connection
from mail_sender.ledger.postgres.due import STALE
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.contract.ledgers import WEEK, admit, due, of_one, outcome
from tests.support.postgres import Postgres
from tests.support.samples import IMPRINT, NOW, SECOND, A, B, crowd, message

pytestmark = pytest.mark.debian("postgresql")

LEASE, BEAT = timedelta(seconds=claims.LEASE), timedelta(seconds=claims.BEAT)


class Pair:
    """Two replicas on one ledger, which say that they live when the test has them do so."""

    def __init__(self, server: Postgres) -> None:
        self.server = server
        self.target = server.target()

    async def open(self) -> PostgresLedger:
        """Open one more."""
        ledger = await PostgresLedger.open(self.target)
        await ledger.replicas.stop_beating()
        return ledger

    async def passes(self, time: timedelta, *living: PostgresLedger) -> None:
        """Let time pass; replicas that live say so all the while, and once more at the end."""
        while time > timedelta():
            step, time = min(time, BEAT), time - BEAT
            self.server.move_clock(self.target, -step)
            for ledger in living:
                await ledger.beat()


@pytest.fixture
async def pair(postgres: Postgres) -> AsyncIterator[tuple[Pair, PostgresLedger, PostgresLedger]]:
    """Give the pair, and its two ledgers, each of which knows of the other."""
    made = Pair(postgres)
    first, second = await made.open(), await made.open()
    await first.beat()
    yield made, first, second
    for ledger in (first, second):
        await ledger.close()


async def begun(ledger: PostgresLedger, of: Message) -> Delivery:
    """Take up a message and claim it."""
    await admit(ledger, of)
    return await ledger.begin(await of_one(ledger, of))


Given = tuple[Pair, PostgresLedger, PostgresLedger]


async def test_a_claim_is_taken_over_when_its_lease_has_run_out(pair: Given) -> None:
    """Not before; and whoever had it can then write nothing any more, even if nobody has claimed it again."""
    made, first, second = pair
    old = await begun(first, message())
    await made.passes(LEASE - BEAT, second)
    assert await second.interrupted() == []
    await made.passes(BEAT, second)
    (found,) = await second.interrupted()
    await second.settle(found, outcome(State.QUEUED), NOW)
    for write in (first.dot(old, IMPRINT), first.settle(old, outcome(State.SENT), NOW)):
        with pytest.raises(Fenced):
            await write
    assert (await of_one(second, message(number=old.message.int))).state is State.QUEUED
    again = await second.begin(await of_one(second, message(number=old.message.int)))
    with pytest.raises(Fenced):
        await first.settle(old, outcome(State.SENT), NOW)
    await second.dot(again, IMPRINT)


async def test_beats_keep_all_claims_of_a_replica(pair: Given) -> None:
    """However long they take."""
    made, first, second = pair
    for of in crowd(3):
        await begun(first, of)
    await made.passes(3 * LEASE, first, second)
    assert await second.interrupted() == []
    assert len(await first.interrupted()) == 3


async def test_a_dot_needs_a_lease_that_lasts(pair: Given) -> None:
    """Within the margin it goes out or never: nobody may take over meanwhile."""
    made, first, _ = pair
    of = await begun(first, message())
    await made.passes(LEASE - timedelta(seconds=claims.MARGIN) + BEAT / 10)
    with pytest.raises(Fenced):
        await first.dot(of, IMPRINT)
    await first.beat()
    began = clock.elapsed()
    assert began < await first.dot(of, IMPRINT) - claims.MARGIN < clock.elapsed()


async def test_a_dot_that_is_answered_too_late_must_not_go_out(pair: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was stopped between the commit and its answer may have lost the lease since; the mail may be out, for all."""
    _, first, _ = pair
    of = await begun(first, message())
    monkeypatch.setattr(claims, "MARGIN", -1.0)
    with pytest.raises(LedgerFault, match="too slowly"):
        await first.dot(of, IMPRINT)
    (found,) = await first.interrupted()
    assert found.dot


async def test_a_dot_that_came_since_is_not_passed_over(pair: Given) -> None:
    """Who takes over a claim that had no dot when it was read would send it again, and nobody would know."""
    made, first, second = pair
    old = await begun(first, message())
    await made.passes(LEASE + BEAT, second)
    (found,) = await second.interrupted()
    await first.beat()
    await first.dot(old, IMPRINT)
    await made.passes(LEASE + BEAT, second)
    with pytest.raises(Fenced):
        await second.settle(found, outcome(State.QUEUED), NOW)
    (found,) = await second.interrupted()
    assert found.dot
    await second.settle(found, outcome(State.QUEUED, ambiguous=1), NOW)


@pytest.mark.parametrize("became", [State.QUEUED, State.UNKNOWN])
async def test_who_comes_back_may_say_that_the_relay_took_the_mail(pair: Given, became: State) -> None:
    """Nobody else knows, and a copy would go; but nothing else may be said, by nobody else, nor after the next claim."""
    made, first, second = pair
    for is_claimed_again in (False, True):
        of = message(f"{became}-{is_claimed_again}@example.com")
        old = await begun(first, of)
        await first.dot(old, IMPRINT)
        await made.passes(LEASE + BEAT, second)
        (found,) = await second.interrupted()
        await second.settle(found, outcome(became, ambiguous=1), NOW)
        for ledger, state in ((second, State.SENT), (first, State.FAILED), (first, State.QUEUED)):
            with pytest.raises(Fenced):
                await ledger.settle(old, outcome(state), NOW)
        if not is_claimed_again:
            assert await first.settle(old, outcome(State.SENT), NOW) is True
            assert (await of_one(first, of)).state is State.SENT
        elif became is State.QUEUED:
            await second.begin(await of_one(second, of))
            with pytest.raises(Fenced):
                await first.settle(old, outcome(State.SENT), NOW)


async def test_a_lease_that_was_prolonged_since_is_not_taken_over(pair: Given) -> None:
    """Who was only slow keeps what it works on."""
    made, first, second = pair
    old = await begun(first, message())
    await made.passes(LEASE + BEAT, second)
    (found,) = await second.interrupted()
    await first.beat()
    with pytest.raises(Fenced):
        await second.settle(found, outcome(State.QUEUED), NOW)
    await first.dot(old, IMPRINT)


async def test_after_an_outage_of_the_database_those_who_live_keep_their_claims(pair: Given) -> None:
    """All leases have run out by then: who comes back first waits for as long as a lease before it takes over."""
    made, first, second = pair
    of = await begun(first, message())
    await made.passes(2 * LEASE)
    await second.beat()
    assert await second.interrupted() == []
    await made.passes(BEAT, second, first)
    await made.passes(LEASE + BEAT, second, first)
    assert await second.interrupted() == []
    await first.dot(of, IMPRINT)


async def test_a_clock_that_was_set_back_gives_nobody_a_longer_lease(pair: Given) -> None:
    """A lease that lasts longer than any is one of a clock that ran ahead."""
    made, first, second = pair
    await begun(first, message())
    made.server.move_clock(made.target, timedelta(hours=1))
    await second.beat()
    assert await second.interrupted() == []
    await made.passes(LEASE + BEAT, second)
    assert len(await second.interrupted()) == 1


async def test_what_a_replica_leaves_behind_is_taken_over_at_once(pair: Given) -> None:
    """It gives its leases back when it ends."""
    _, first, second = pair
    await begun(first, message())
    await first.close()
    (found,) = await second.interrupted()
    await second.settle(found, outcome(State.QUEUED), NOW)


@pytest.mark.parametrize("recipients", [(A, A), (A, A.upper())])
async def test_of_two_replicas_one_gets_a_mailbox(pair: Given, recipients: tuple[str, str]) -> None:
    """Whoever asks first, also in the same moment, and for two messages: until the first one has ended."""
    _, first, second = pair
    messages = [message(recipient) for recipient in recipients]
    await admit(first, *messages)
    found = [await of_one(first, of) for of in messages]
    asking = (ledger.begin(one) for ledger, one in zip(pair[1:], found, strict=True))
    got = await asyncio.gather(*asking, return_exceptions=True)
    assert sorted(type(one).__name__ for one in got) == ["Delivery", "Fenced"]
    winner, loser = (first, second) if isinstance(got[0], Delivery) else (second, first)
    (claim,) = (one for one in got if isinstance(one, Delivery))
    (other,) = (one for one in found if one.key != claim.key)
    assert other.message not in await due(loser)
    await winner.settle(claim, outcome(State.FAILED), NOW)
    await loser.begin(other)


async def test_of_many_replicas_one_gets_a_delivery(pair: Given) -> None:
    """All others are fenced off, whoever they are."""
    made, first, second = pair
    others = [await made.open() for _ in range(4)]
    await admit(first, of := message())
    found = await of_one(first, of)
    each = [first, second, *others]
    got = await asyncio.gather(*(ledger.begin(found) for ledger in each), return_exceptions=True)
    assert sorted(type(one).__name__ for one in got) == ["Delivery", *["Fenced"] * 5]
    for ledger in others:
        await ledger.close()


async def test_a_message_is_complete_whoever_ends_its_last_deliveries(pair: Given) -> None:
    """Two replicas in the same moment: the second one waits until it sees what the first one wrote."""
    made, first, second = pair
    await admit(first, of := message(A, B))
    line = Attempt(NOW, "dot", "accepted", 250, "ok", 0.1)
    made.server.execute(_STOP_AT_THE_COMMIT.format(schema=f'"{made.target.schema}"'))
    one, other = await first.deliveries(of.id)
    claimed = await first.begin(one), await second.begin(other)
    with made.server.holding("SELECT pg_advisory_xact_lock(17)"):
        ends = [
            asyncio.ensure_future(ledger.settle(it, outcome(State.SENT), NOW, line))
            for ledger, it in zip(pair[1:], claimed, strict=True)
        ]
        both_wait = "wait_event_type = 'Lock' AND usename = 'mail' HAVING count(*) = 2"
        await made.server.until(f"SELECT count(*) FROM pg_stat_activity WHERE {both_wait}")  # noqa: S608 - our words
    assert sorted(await asyncio.gather(*ends)) == [False, True]
    assert await first.unmarked(NOW) == [of.id]


_STOP_AT_THE_COMMIT = """
    CREATE FUNCTION {schema}.stop() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN PERFORM pg_advisory_xact_lock_shared(17); RETURN new; END $$;
    CREATE CONSTRAINT TRIGGER stop AFTER INSERT ON {schema}.attempt DEFERRABLE INITIALLY DEFERRED
        FOR EACH ROW EXECUTE FUNCTION {schema}.stop();
"""


async def test_what_one_has_mailed_is_marked_by_itself_or_once_it_is_gone_by_the_others(pair: Given) -> None:
    """Each its part, and soon: nobody asks the server for what another one asks for, unless that takes very long."""
    made, first, second = pair
    third = await made.open()
    await admit(first, *(messages := crowd(20)))
    for of in messages:
        await first.settle(await first.begin(await of_one(first, of)), outcome(State.SENT), NOW)

    async def parts(now: datetime = NOW) -> list[set[UUID]]:
        await second.replicas.beat()
        return [{*await ledger.to_mark(now, 100)} for ledger in (first, second, third)]

    everything, none = {of.id for of in messages}, set[UUID]()
    assert await parts() == [everything, none, none]
    _, *shared = await parts(NOW + marks.LONG)
    assert all(none < part < everything for part in shared)
    await made.passes(LEASE + BEAT, second, third)
    _, *shared = await parts()
    assert all(none < part < everything for part in shared)
    assert not shared[0] & shared[1]
    assert shared[0] | shared[1] == everything
    await first.replicas.beat()
    assert await parts() == [everything, none, none]
    await first.close()
    for ledger in (second, third):
        await ledger.beat()
    assert {*await second.to_mark(NOW, 100), *await third.to_mark(NOW, 100)} == everything
    assert {*await second.unmarked(NOW)} == everything
    await third.close()


async def test_who_is_gone_holds_no_permission_to_try_a_relay(pair: Given) -> None:
    """Or all mail would wait for a sender that died before its first one, for longer than for its claims."""
    made, first, second = pair
    asks = [Report("relay", asks=True)]
    assert [heard.may_try for heard in await first.outages.exchange(asks)] == [True]
    await made.passes(LEASE - BEAT, second)
    assert [heard.may_try for heard in await second.outages.exchange(asks)] == [False]
    await made.passes(BEAT, second)
    assert [heard.may_try for heard in await second.outages.exchange(asks)] == [True]
    await second.close()
    assert [heard.may_try for heard in await first.outages.exchange(asks)] == [True]


async def test_replicas_read_different_parts_of_what_is_due(pair: Given) -> None:
    """Each one its share, also of what is fresh; of a replica that is not seen any more, the others have it."""
    made, first, second = pair
    await admit(first, *(messages := crowd(40)))
    everything = {of.id for of in messages}
    mine, yours = {*await due(first)}, {*await due(second)}
    assert min(len(mine), len(yours)) > 8
    assert not mine & yours
    assert mine | yours == everything
    assert {one.message for one in await first.fresh(NOW, NOW - SECOND, 100)} == mine
    await made.passes(LEASE + BEAT, second)
    assert {*await due(second)} == everything


async def test_what_waits_for_one_mailbox_goes_by_one_replica(pair: Given) -> None:
    """In its order."""
    _, first, second = pair
    await admit(first, *(messages := [message(A), message(A.upper()), message(A)]))
    each = [await due(first), await due(second)]
    assert sorted(each, key=len) == [[], [of.id for of in messages]]


async def test_what_nobody_takes_is_read_by_all_after_their_own(pair: Given) -> None:
    """A replica that lives may be cut off from the relay, or from the identity server."""
    _, first, second = pair
    await admit(first, *crowd(20))
    mine, yours = await due(first), await due(second)
    later = NOW + STALE
    assert await due(first, later) == [*mine, *yours]
    assert await due(second, later) == [*yours, *mine]
    assert await due(second, later - SECOND) == yours
    late = NOW + 2 * WEEK
    assert len(await due(first, late)) == 20


async def test_what_meets_goes_in_one_transaction(pair: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    """Claims, dots and outcomes of all that are in flight: what waits meanwhile goes in the next one."""
    _, ledger, _ = pair
    await admit(ledger, *(messages := crowd(30)))
    found = [await of_one(ledger, of) for of in messages]
    claimed = await asyncio.gather(*(ledger.begin(one) for one in found[:20]))
    await asyncio.gather(*(ledger.dot(one, IMPRINT) for one in claimed[:10]))
    sizes: list[int] = []
    run = Connection.run

    async def counted(connection: Connection, statements: list[object], **rest: bool) -> object:
        sizes.append(len(statements))
        return await run(connection, statements, **rest)  # type: ignore[arg-type]  # what it was called with

    monkeypatch.setattr(Connection, "run", counted)
    await asyncio.gather(
        *(ledger.settle(one, outcome(State.SENT), NOW) for one in claimed[:10]),
        *(ledger.dot(one, IMPRINT) for one in claimed[10:]),
        *(ledger.begin(one) for one in found[20:]),
    )
    assert sizes == [5]
    assert len(await ledger.unmarked(NOW)) == 10
