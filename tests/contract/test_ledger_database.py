"""The ledger and its database: how it gets there, what it finds, what it does when that goes away, and what it says."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Self

import pytest

from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Attempt, Fenced, Query
from mail_sender.ledger.postgres import connection
from mail_sender.ledger.postgres.database import Database
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.postgres.statement import Statement
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.contract.ledgers import admit, become, due, of_one, outcome, states
from tests.support.postgres import Postgres, bouncing
from tests.support.samples import IMPRINT, NOW, crowd, message

pytestmark = pytest.mark.debian("postgresql")


@pytest.fixture
async def ledger(postgres: Postgres) -> AsyncIterator[PostgresLedger]:
    """Give a fresh ledger."""
    opened = await PostgresLedger.open(postgres.target())
    yield opened
    await opened.close()


@pytest.fixture
def restarted(postgres: Postgres) -> Iterator[Postgres]:
    """Give a server that is up again at the end."""
    yield postgres
    if not postgres.is_up:
        postgres.start()


async def fault_of(target: Target) -> LedgerFault:
    """Return why a ledger cannot be opened."""
    with pytest.raises(LedgerFault) as raised:
        await PostgresLedger.open(target)
    return raised.value


async def shown(ledger: PostgresLedger, text: str) -> str:
    """Return what a transaction of the ledger sees."""
    (((found,),),) = await ledger._database.read([Statement(text)])
    return str(found)


# Getting there


async def test_a_role_that_owns_only_its_schema_is_enough(postgres: Postgres) -> None:
    """It may create nothing else in the database; without the schema, the fault says what to create."""
    postgres.execute("CREATE ROLE small LOGIN")
    postgres.execute("REVOKE CREATE ON DATABASE mail FROM PUBLIC")
    target = postgres.target("small ledger", user="small")
    fault = await fault_of(target)
    assert fault.kind == "not_allowed"
    assert "CREATE SCHEMA" in fault.advice
    postgres.execute('CREATE SCHEMA "small ledger" AUTHORIZATION small')
    ledger = await PostgresLedger.open(target)
    await admit(ledger, message())
    assert await shown(ledger, "SELECT count(*) FROM delivery") == "1"
    await ledger.close()


async def test_over_the_network_the_certificate_is_checked(postgres: Postgres) -> None:
    """By its CA and its name, unless somebody says otherwise; then there is a warning. The password is never shown."""
    host = {"host": "localhost", "hostaddr": "127.0.0.1", "password": postgres.password}
    trusted = {"sslmode": "verify-full", "sslrootcert": str(postgres.ca_pem)}
    ledger = await PostgresLedger.open(postgres.target(**host, **trusted))
    await ledger.close()
    table = {
        "tls": {**trusted, "sslrootcert": "/etc/ssl/certs/ca-certificates.crt"},
        "wrong_password": {**trusted, "password": "secret wrong one"},
        "no_database": {**trusted, "dbname": "none"},
        "not_let_in": {"sslmode": "disable"},
        "unreachable": {**trusted, "port": "1"},
    }
    for kind, rest in table.items():
        fault = await fault_of(postgres.target(**{**host, **rest}))
        assert fault.kind == kind, fault
        assert postgres.password not in str(fault)
        assert "secret" not in str(fault)
    named = await fault_of(postgres.target(**{**host, **trusted, "host": "other.example"}))
    assert named.kind == "tls"


async def test_replicas_that_start_together_make_the_tables_once(postgres: Postgres) -> None:
    """One does, the others find them."""
    target = postgres.target()
    opened = await asyncio.gather(*(PostgresLedger.open(target) for _ in range(6)))
    await admit(opened[0], of := message())
    for ledger in opened:
        assert await states(ledger, of) == [State.QUEUED]
        await ledger.close()


async def test_a_ledger_of_a_newer_version_is_refused(postgres: Postgres) -> None:
    """And so are tables of another program; nothing is changed in them."""
    newer, foreign, none = postgres.target(), postgres.target(), postgres.target()
    await (await PostgresLedger.open(newer)).close()
    postgres.execute(f'INSERT INTO "{newer.schema}".version VALUES (99)')  # noqa: S608 - a name of ours
    assert (await fault_of(newer)).kind == "newer"
    postgres.execute(f'CREATE SCHEMA "{foreign.schema}" CREATE TABLE version_of_others ()')
    assert (await fault_of(foreign)).kind == "foreign"
    with pytest.raises(LedgerFault, match="start mail-sender once"):
        await PostgresLedger.open(none, reads_only=True)


async def test_who_only_reads_changes_nothing(postgres: Postgres) -> None:
    """It is no replica, and takes nothing over."""
    target = postgres.target()
    ledger, reader = await PostgresLedger.open(target), await PostgresLedger.open(target, reads_only=True)
    await admit(ledger, of := message())
    assert await states(reader, of) == [State.QUEUED]
    with pytest.raises(LedgerFault, match="read-only"):
        await admit(reader, message())
    await reader.close()
    assert await shown(ledger, "SELECT count(*) FROM replica") == "1"
    await ledger.close()


async def test_a_database_that_does_not_keep_unicode_is_refused(postgres: Postgres) -> None:
    """An address may have any character."""
    postgres.execute("CREATE DATABASE old ENCODING 'LATIN1' TEMPLATE template0", database="postgres")
    assert (await fault_of(postgres.target(dbname="old"))).kind == "encoding"


async def test_no_character_of_an_address_stops_the_others(ledger: PostgresLedger) -> None:
    """PostgreSQL has no U+0000."""
    odd, other = message("a\0'\\{},\"@example.com"), message("grüße@example.com")
    await admit(ledger, odd, other)
    assert (await of_one(ledger, odd)).recipient == "a\ufffd'\\{},\"@example.com"
    assert (await of_one(ledger, other)).recipient == "grüße@example.com"
    await become(ledger, other, State.SENT)


async def test_a_commit_is_on_disk_whatever_the_role_has_set(postgres: Postgres) -> None:
    """A role may have that switched off for its sessions; what waits for more than the disk stays."""
    for own, expected in (("off", "on"), ("local", "on"), ("remote_apply", "remote_apply")):
        postgres.execute(f"ALTER ROLE mail SET synchronous_commit = {own}")
        ledger = await PostgresLedger.open(postgres.target())
        assert await shown(ledger, "SELECT current_setting('synchronous_commit')") == expected
        await ledger.close()
    postgres.execute("ALTER ROLE mail RESET synchronous_commit")


# When it goes away


async def test_connections_that_end_while_nothing_is_asked_are_made_again(
    postgres: Postgres, ledger: PostgresLedger
) -> None:
    """Nobody is told: nothing was lost."""
    await admit(ledger, of := message())
    ended = "SELECT pid, pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mail'"
    gone = ", ".join(str(pid) for pid, _ in postgres.execute(ended))
    await postgres.until(f"SELECT 1 WHERE NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid IN ({gone}))")  # noqa: S608 - numbers
    await become(ledger, of, State.SENT)


async def test_while_the_database_is_away_every_call_says_so(restarted: Postgres, ledger: PostgresLedger) -> None:
    """At once and not only at first; after that all goes on, with what was committed before a crash."""
    await admit(ledger, of := message())
    claimed = await ledger.begin(await of_one(ledger, of))
    for how in (signal.SIGINT, signal.SIGQUIT):
        restarted.stop(how)
        for _ in range(3):
            with pytest.raises(LedgerFault) as raised:
                await ledger.dot(claimed, IMPRINT)
            assert raised.value.kind == "unreachable"
        restarted.start()
        ledger._database._not_before = 0.0  # the wait is over
        assert await of_one(ledger, of) == claimed
    await ledger.dot(claimed, IMPRINT)


async def test_a_transaction_that_is_cut_changes_nothing(postgres: Postgres, ledger: PostgresLedger) -> None:
    """What waits for a lock that a session holds, and is ended by an administrator, is told so."""
    await admit(ledger, of := message())
    claimed = await ledger.begin(await of_one(ledger, of))
    with postgres.holding(f'LOCK TABLE "{ledger._database.target.schema}".delivery'):
        writing = asyncio.ensure_future(ledger.dot(claimed, IMPRINT))
        those = "usename = 'mail' AND wait_event_type = 'Lock'"
        waits = f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {those}"  # noqa: S608 - words of ours
        await postgres.until(waits)
        with pytest.raises(LedgerFault) as raised:
            await writing
    assert raised.value.kind == "cut"
    assert await of_one(ledger, of) == claimed


class Cutter:
    """Stands between a ledger and its database, and can keep the next answer to itself and cut."""

    def __init__(self, server: Postgres, folder: Path) -> None:
        self.is_armed = False
        self._there = str(server.folder / f".s.PGSQL.{server.port}")
        self._here = str(folder / f".s.PGSQL.{server.port}")
        self._streams: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._listening = await asyncio.start_unix_server(self._client, self._here)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._listening.close()
        for stream in self._streams:
            stream.close()
            with suppress(OSError):
                await stream.wait_closed()

    async def _client(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there = await asyncio.open_unix_connection(self._there)
        self._streams |= {writer, there[1]}
        await asyncio.gather(self._copy(reader, there[1]), self._copy(there[0], writer, answers=True))

    async def _copy(self, reader: asyncio.StreamReader, to: asyncio.StreamWriter, *, answers: bool = False) -> None:
        while (octets := await reader.read(65_536)) and not (answers and self.is_armed):
            to.write(octets)
        to.close()


async def test_what_was_committed_without_an_answer_is_found_again(postgres: Postgres, tmp_path: Path) -> None:
    """A claim and a dot by the search for what was left behind; an outcome, by offering it again, which is refused."""
    async with Cutter(postgres, tmp_path) as cutter:
        ledger = await PostgresLedger.open(postgres.target(host=str(tmp_path)))
        await _cut_three_times(ledger, cutter)
        await ledger.close()


async def _cut_three_times(ledger: PostgresLedger, cutter: Cutter) -> None:
    async def cut(call: Coroutine[None, None, object]) -> None:
        cutter.is_armed = True
        with pytest.raises(LedgerFault) as raised:
            await call
        assert raised.value.kind == "cut"
        cutter.is_armed = False

    await admit(ledger, of := message())
    await cut(ledger.begin(await of_one(ledger, of)))
    (claimed,) = await ledger.interrupted()
    assert claimed == await of_one(ledger, of)
    await cut(ledger.dot(claimed, IMPRINT))
    (dotted,) = await ledger.interrupted()
    assert dotted.dot
    line = Attempt(NOW, "dot", "accepted", 250, "ok", 0.1)
    await cut(ledger.settle(dotted, outcome(State.SENT), NOW, line))
    with pytest.raises(Fenced):
        await ledger.settle(dotted, outcome(State.SENT), NOW, line)
    (found,) = await ledger.find(Query(), 10)
    assert (found.delivery.state, found.history) == (State.SENT, (line,))
    assert await ledger.unmarked(NOW) == [of.id]


async def test_a_server_that_does_not_answer_is_given_up(
    postgres: Postgres, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every call ends; the next one has a connection of its own."""
    await admit(ledger, message())
    process = int(await shown(ledger, "SELECT pg_backend_pid()"))
    os.kill(process, signal.SIGSTOP)
    try:
        with monkeypatch.context() as soon:
            soon.setattr(connection, "SECONDS", 0.3)
            with pytest.raises(LedgerFault) as raised:
                await ledger.next_due(NOW)
        assert raised.value.kind == "timeout"
        assert len(await due(ledger)) == 1
    finally:
        os.kill(process, signal.SIGCONT)


async def test_a_lock_that_somebody_holds_is_not_waited_for_long(
    postgres: Postgres, ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session that an administrator has left open in a transaction stops mail, and says so."""
    await admit(ledger, of := message())
    await ledger._database.run([Statement("SELECT set_config('lock_timeout', '50ms', false)")])
    claimed = await ledger.begin(await of_one(ledger, of))
    with (
        postgres.holding(f'LOCK TABLE "{ledger._database.target.schema}".delivery'),
        pytest.raises(LedgerFault) as raised,
    ):
        await ledger.dot(claimed, IMPRINT)
    assert raised.value.kind == "busy"


async def test_a_read_only_database_is_told(postgres: Postgres) -> None:
    """As a standby is that nobody has promoted."""
    target = postgres.target()
    ledger = await PostgresLedger.open(target)
    postgres.execute("ALTER ROLE mail SET default_transaction_read_only = on")
    await ledger._database.close()
    try:
        with pytest.raises(LedgerFault) as raised:
            await admit(ledger, message())
        assert raised.value.kind == "read_only"
        assert await ledger.count(Query()) == {}
    finally:
        postgres.execute("ALTER ROLE mail RESET default_transaction_read_only")
    await ledger.close()


async def test_after_a_connection_failed_the_next_ones_wait(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Longer each time; who asks meanwhile gets the same fault at once, and nothing is tried."""
    database = Database(postgres.target(port="1"), dice=lambda: 0.5)
    connect, tried = connection.Connection.connect, list[Target]()

    async def counted(target: Target) -> connection.Connection:
        tried.append(target)
        return await connect(target)

    monkeypatch.setattr(connection.Connection, "connect", counted)
    for expected in (0.2, 0.4, 0.8, 1.6, 3.2, 4.0, 4.0):
        database._not_before = float("-inf")  # the wait is over
        for _ in range(3):
            with pytest.raises(LedgerFault, match="cannot be reached"):
                await database.run([Statement("SELECT 1")])
        assert database._wait == expected
    assert len(tried) == 7


# PgBouncer


@pytest.mark.debian("pgbouncer")
@pytest.mark.parametrize("mode", ["transaction", "statement"])
async def test_behind_a_bouncer_nothing_of_a_session_is_relied_on(postgres: Postgres, mode: str) -> None:
    """Two connections to the server for three replicas: a transaction is one piece, and brings all that it needs."""
    async with AsyncExitStack() as opened:
        folder = opened.enter_context(bouncing(postgres, mode))
        target = postgres.target(host=folder)
        replicas = [await PostgresLedger.open(target) for _ in range(3)]
        for replica in replicas:
            opened.push_async_callback(replica.close)
        messages = crowd(12)
        await admit(replicas[0], *messages)
        for turn in range(6):  # often enough that a prepared statement would be one
            ends = [_lived(replicas[(turn + n) % 3], of) for n, of in enumerate(messages[2 * turn : 2 * turn + 2])]
            assert await asyncio.gather(*ends) == [True, True]
        assert len(await replicas[1].unmarked(NOW)) == 12
        assert (await replicas[2].summary(NOW)).states[State.SENT] == 12
        assert await shown(replicas[0], "SELECT current_setting('synchronous_commit')") == "on"


async def _lived(ledger: PostgresLedger, of: Message) -> bool:
    found = await ledger.begin(await of_one(ledger, of))
    await ledger.dot(found, IMPRINT)
    return await ledger.settle(found, outcome(State.SENT), NOW)
