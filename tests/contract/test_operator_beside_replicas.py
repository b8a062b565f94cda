"""What an operator does in a shared ledger, and `doctor` finds there, without a sender on the same machine: the same races are won as beside one.

Time passes as in the tests of claims.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from mail_sender.control.handler import Handler
from mail_sender.control.local_access import settle_interrupted
from mail_sender.control.response import ResponseLine
from mail_sender.control.verbs import IN_FLIGHT
from mail_sender.doctor.finding import Level
from mail_sender.doctor.shared_ledger import shared_ledger
from mail_sender.errors import Exit, LedgerFault
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.postgres import claims, listening
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.postgres.survey import survey
from mail_sender.ledger.replicas import News, Said
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.names.secret import Secret
from mail_sender.observe import ledger_alone
from mail_sender.observe.ledger_alone import LedgerAlone
from tests.contract.ledgers import admit, become, of_one
from tests.contract.test_ledger_replicas import BEAT, LEASE, Pair
from tests.support.postgres import Postgres, bouncing
from tests.support.samples import IMPRINT, NOW, SECOND, crowd, message
from tests.unit.control.handling import Clock, Server, ask, results

pytestmark = pytest.mark.debian("postgresql")


class Operators(Pair):
    """One replica, and operators beside it."""

    @asynccontextmanager
    async def operator(self, *messages: Any) -> AsyncIterator[Handler]:
        """Open the ledger as a queue verb does; the server still has these messages."""
        ledger = await PostgresLedger.open(self.target, joins=False)
        await settle_interrupted(ledger, NOW)
        alone = LedgerAlone(ledger, StateFolder(self.server.folder), Clock())
        try:
            yield Handler(ledger, Server(*messages), Clock(), reporter=alone)
        finally:
            await ledger.close()


@pytest.fixture
async def given(postgres: Postgres) -> AsyncIterator[tuple[Operators, PostgresLedger]]:
    """Give them, and the replica's ledger."""
    made = Operators(postgres)
    ledger = await made.open()
    yield made, ledger
    await ledger.close()


Given = tuple[Operators, PostgresLedger]


def said(lines: list[ResponseLine]) -> list[str]:
    """Return what became of the deliveries."""
    return [result["message"] for result in results(lines)]


async def test_an_operator_is_no_replica_and_makes_no_tables(given: Given, postgres: Postgres) -> None:
    """Whoever counts the senders does not count him, also while he works."""
    made, replica = given
    async with made.operator() as operator:
        first, end = await ask(operator, "flush")
        assert first == {"ledger": {"place": str(postgres.folder / "ledger.db"), "senders": 1}}
        assert end["end"]["exit"] == Exit.DONE
        assert [one.id for one in await replica.replicas.read()] == [replica.replicas.id]
    assert len(await replica.replicas.read()) == 1
    with pytest.raises(LedgerFault, match="there is no ledger yet"):
        await PostgresLedger.open(postgres.target(), joins=False)


async def test_what_a_replica_has_in_flight_is_left_alone(given: Given) -> None:
    """With the words of one machine; as soon as it is settled the same command works, and the replicas hear of it."""
    made, replica = given
    of = message()
    await admit(replica, of)
    begun = await replica.begin(await of_one(replica, of))
    heard = asyncio.Event()
    with replica.replicas.hearing(lambda news: heard.set() if news is News.COMMAND else None):
        await heard.wait()  # as soon as it listens, there may be news
        heard.clear()
        async with made.operator() as operator:
            refused = await ask(operator, "abandon", message=str(of.id))
            assert (said(refused), refused[-1]["end"]["exit"]) == ([IN_FLIGHT], Exit.FAILED)
            await replica.dot(begun, IMPRINT)
            await replica.settle(begun, begun.queued(begun.next_attempt), begun.next_attempt)
            (entry,) = [line["entry"] for line in await ask(operator, "list") if "entry" in line]
            assert not entry["interrupted"]
            assert said(await ask(operator, "abandon", message=str(of.id))) == ["was queued; given up"]
        await heard.wait()
    assert (await of_one(replica, of)).state is State.ABANDONED


async def test_a_flush_is_for_all_replicas(given: Given) -> None:
    """Each of them tries its share of what waits, through a relay that was down, too."""
    made, replica = given
    heard = asyncio.Event()
    listens = asyncio.Event()

    def hear(news: News) -> None:
        listens.set()
        if news is News.FLUSH:
            heard.set()

    with replica.replicas.hearing(hear):
        await listens.wait()
        assert not heard.is_set()
        async with made.operator() as operator:
            assert (await ask(operator, "flush"))[-1]["end"]["message"] == "nothing is queued or held"
        await heard.wait()


async def test_what_one_gave_back_is_for_the_living(given: Given) -> None:
    """They take it over at once, by the same steps as ever."""
    made, replica = given
    of = message()
    await admit(replica, of)
    other = await made.open()
    await other.begin(await of_one(other, of))
    await other.close()
    async with made.operator() as operator:
        assert said(await ask(operator, "abandon", message=str(of.id))) == [IN_FLIGHT]
    assert len(await replica.interrupted()) == 1


async def test_of_two_operators_one_sends_a_copy(given: Given) -> None:
    """Both see it as sent; what the other one did is read again, and the words are those of its new state."""
    made, replica = given
    of = message()
    await admit(replica, of)
    await become(replica, of, State.SENT)
    await replica.marked([of.id], of.send_after)
    async with made.operator(of) as one, made.operator(of) as other:
        lines = await asyncio.gather(*(ask(each, "resend", message=str(of.id)) for each in (one, other)))
    copied, refused = sorted((said(each)[0] for each in lines), key=lambda text: "copy" not in text)
    assert copied == "was sent; a copy is queued, with a Message-ID of its own"
    assert refused.startswith("is queued: only what is sent")
    assert (await of_one(replica, of)).copy == 1


async def test_where_no_replica_lives_what_one_left_is_for_the_next_one(given: Given) -> None:
    """Its claim may be of somebody who lost the database for a while: only what was given back is nobody's."""
    made, replica = given
    left, given_back = crowd(2)
    await admit(replica, left, given_back)
    await replica.begin(await of_one(replica, left))
    await made.passes(LEASE + BEAT)
    other = await made.open()
    await other.begin(await of_one(other, given_back))
    await other.close()
    async with made.operator() as operator:
        first, second, *_ = lines = await ask(operator, "abandon", message=str(left.id))
        assert (first["ledger"]["senders"], second["condition"]["name"]) == (0, "sender")
        assert said(lines)[0].startswith("was in flight when its sender ended: start one")
        flushed = await ask(operator, "flush")
        assert "no sender runs" in flushed[-1]["end"]["message"]
        entries = [line["entry"] for line in await ask(operator, "list") if "entry" in line]
        assert [(entry["status"], entry["interrupted"]) for entry in entries] == [
            ("queued", False), ("processing", True),
        ]  # fmt: skip


async def test_the_status_of_the_ledger_alone_names_the_replicas(given: Given) -> None:
    """All is well if one of them polls, one can mail, and nothing else is wrong."""
    made, replica = given
    async with made.operator() as operator:
        assert not (await ask(operator, "status"))[0]["status"]["healthy"], "nobody polls"
        replica.replicas.stand(float)
        await replica.beat()
        status = (await ask(operator, "status"))[0]["status"]
        (one,) = status["replicas"]
        assert (status["healthy"], status["sender"], one["pid"], one["answers"]) == (
            True, None, replica.replicas.known[0].pid, False,
        )  # fmt: skip
        replica.replicas.describe(Said(carries=False))
        await replica.beat()
        status = (await ask(operator, "status"))[0]["status"]
        assert (status["healthy"], status["replicas"][0]["carries"]) == (False, False)
        await made.passes(timedelta(seconds=claims.LEASE) + BEAT)
        status = (await ask(operator, "status"))[0]["status"]
        assert (status["healthy"], status["replicas"]) == (False, [])
    assert ledger_alone.without_ledger(StateFolder(made.server.folder), Clock().now()).replicas == []


async def findings(server: Postgres) -> list[tuple[str, Level, str]]:
    """Return what `doctor` finds of a database with a ledger in the usual place."""
    url = Secret(f"postgresql://mail@/mail?host={server.folder}&port={server.port}")
    async with aclosing(shared_ledger(LedgerConfig(None, "postgresql", url))) as found:
        return [(one.check, one.level, one.seen) async for one in found]


async def test_doctor_sees_the_senders_and_the_server(postgres: Postgres) -> None:
    """Before the first start, beside a sender, and while the database cannot be used; it is no sender itself."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    (_, level, seen), (_, _, senders), *_ = await findings(postgres)
    assert (level, senders) == (Level.OK, "no sender runs on it now")
    assert "the sender makes it when it starts" in seen
    ledger = await PostgresLedger.open(postgres.target("mail_sender"))
    checks, levels, lines = zip(*await findings(postgres), strict=True)
    assert checks == ("ledger", "senders", "database_clock", "notifications", "connections")
    assert set(levels) == {Level.OK}
    assert "can be read; deliveries: none" in lines[0]
    assert lines[1].startswith("1 sender runs on it: ")
    await ledger.close()
    postgres.execute("INSERT INTO mail_sender.version VALUES (999)")
    assert [(check, level) for check, level, _ in await findings(postgres)] == [("ledger", Level.FAULT)]
    postgres.execute("DROP SCHEMA mail_sender CASCADE")


@pytest.mark.debian("pgbouncer")
async def test_the_survey_finds_out_what_a_pooler_keeps_back(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Notifications, and how many connections the server takes."""
    direct = await survey(postgres.target())
    assert (direct.has_news, direct.most_connections, abs(direct.ahead) < SECOND) == (True, 57, True)
    for mode, comes in (("session", True), ("transaction", False)):
        if not comes:
            monkeypatch.setattr(listening, "PROBED_FOR", 0.2)
        with bouncing(postgres, mode) as folder:
            found = await survey(postgres.target(host=folder))
        assert (found.has_news, found.most_connections) == (comes, None)
