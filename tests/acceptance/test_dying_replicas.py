"""Senders that share a ledger, of which some die all the time: nothing is lost, and copies go only where one would.

One sender alone sends a mail once more if it was cut off at the dot. So do several; the relay's own log says what has
arrived. The long runs are those of issue size; the short one has leases of two seconds (`hasty_sender`).
"""

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from mail_sender.ledger.base import Entry, Query
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.states import State
from tests.faults.rig_database import DatabaseProxy, processes, proxy_before
from tests.support import configs
from tests.support.fleet import HASTY, Fleet
from tests.support.postgres import Postgres, running
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

TAKEOVER = 30.0
"""Seconds within which another sender has what a killed one had in flight, from then or when the database is back."""
LAST_STROKE = 70
"""The second in which all has befallen the database, and a sender that found none is started again."""
MOST_KILLED = 300
CONTENT = {"TestMessageV1": {"display_name": "Ellie"}}


@pytest.fixture
def server() -> Iterator[Postgres]:
    """Give a PostgreSQL that may be stopped and killed."""
    with running() as made:
        yield made


@asynccontextmanager
async def world(tmp_path: Path, server: Postgres, messages: int) -> AsyncIterator[tuple[Stub, DatabaseProxy]]:
    """Give a stub with so many messages, whose relay takes a moment for each, and the way to the database."""
    rules = tmp_path / "misbehave.toml"
    rules.write_text('[[relay]]\nat = "dot"\nstall = 0.4\n')
    async with proxy_before(server) as proxy:
        proxy.folder.chmod(0o755)
        with Stub(tmp_path / "stub", "--misbehave", str(rules)) as stub:
            url = f"postgresql://mail@/mail?host={proxy.folder}&port={server.port}"
            configs.change(stub.sender_config, schedule="* * * * * *", ledger={"url": url})
            people = [{"primary": True, "value": f"person-{number}@example.com"} for number in range(messages)]
            stub.queue([{"message_template": CONTENT, "mail_destination": [one]} for one in people])
            yield stub, proxy


async def ended(fleet: Fleet) -> None:
    """Stop all senders, by SIGTERM, while the proxy goes on."""
    for sender in fleet.senders:
        assert await asyncio.to_thread(sender.stop) == 0


async def entries(server: Postgres) -> list[Entry]:
    """Return all deliveries of the ledger."""
    ledger = await PostgresLedger.open(server.target("mail_sender"), reads_only=True)
    try:
        return list(await ledger.find(Query(), 100_000))
    finally:
        await ledger.close()


def check(stub: Stub, found: list[Entry], messages: int) -> Counter[int]:
    """Check the relay's log and the server's queue against the ledger; return how many mails there are how often."""
    arrived = Counter(to for one in stub.envelopes() for to in one["rcpt_to"])
    assert len(found) == messages
    for one in found:
        delivery, copies = one.delivery, arrived[one.delivery.recipient]
        assert delivery.state is State.SENT or (delivery.state is State.UNKNOWN and delivery.ambiguous)
        assert copies or delivery.state is State.UNKNOWN, f"{one} is lost"
        assert copies <= 1 + delivery.ambiguous, f"{one} went too often"
        cuts = [line for line in one.history if line.verdict in {"interrupted", "uncertain"} and line.stage == "dot"]
        assert len(cuts) == delivery.ambiguous
    marked = {message["id"] for message in stub.messages() if "sent_at" in message}
    for one in found:  # one that was accepted may be marked, and its sender killed before the ledger knew
        is_marked, has_arrived = str(one.delivery.message) in marked, arrived[one.delivery.recipient] > 0
        assert is_marked or one.delivery.state is State.UNKNOWN
        assert has_arrived or not is_marked
    return Counter(arrived.values())


async def test_what_a_killed_sender_had_in_flight_is_taken_over_and_nothing_goes_twice(
    tmp_path: Path, postgres: Postgres
) -> None:
    """A slice: of two senders one is killed with a mail at its dot, and all connections to the database are cut."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    async with world(tmp_path, postgres, 60) as (stub, proxy):
        with Fleet(stub, postgres, tmp_path, HASTY) as fleet:
            fleet.start(0, STOP_AT_DOT="1")
            await asyncio.to_thread(fleet.wait_stopped, 0)
            watching = asyncio.ensure_future(fleet.watch(60))
            fleet.start(1)
            fleet.kill(0)
            await asyncio.to_thread(fleet.senders[1].wait_for, "sent")
            await proxy.cut()
            await asyncio.wait_for(watching, 60)
            assert fleet.left_in_flight
            await ended(fleet)
        check(stub, await entries(postgres), 60)


@pytest.mark.soak
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("senders", [2, 4, 8])
async def test_nothing_is_lost_while_senders_and_the_database_die(
    tmp_path: Path, server: Postgres, senders: int
) -> None:
    """One sender is killed every second, one stopped past its lease, the database restarted and killed, all cut off."""
    messages = 5_000
    async with world(tmp_path, server, messages) as (stub, proxy):
        with Fleet(stub, server, tmp_path) as fleet:
            for number in range(senders):
                fleet.start(number)
            watching = asyncio.ensure_future(fleet.watch(messages))
            await asyncio.to_thread(fleet.senders[0].wait_for, "sent")
            for second in range(MOST_KILLED):
                await strike(fleet, proxy, second)
                await asyncio.sleep(1.0)  # one is killed each second
                has_all = watching.done() or len([*(stub.dir / "mail").glob("*.eml")]) >= messages
                if second >= LAST_STROKE and has_all:
                    break
            await asyncio.wait_for(watching, 900)
            assert fleet.left_in_flight
            assert fleet.longest_takeover < TAKEOVER
            await ended(fleet)
        counted = check(stub, await entries(server), messages)
        killed = f"{len(fleet.killed)} killed, {len(fleet.left_in_flight)} of them with mails in flight"
        takeover = f"longest takeover {fleet.longest_takeover:.1f} s"
        sys.stderr.write(f"{senders} senders: {killed}; {takeover}; mails by how often they arrived: {counted}\n")


async def strike(fleet: Fleet, proxy: DatabaseProxy, second: int) -> None:
    """Do what this second has in store; the first sender lives, to take over what the others leave."""
    fleet.revive()
    last = len(fleet.senders) - 1
    if second == 5:
        fleet.stop(last)
    if second == 30:
        fleet.go_on(last)
    if second in {10, 35, 60}:
        await restart(fleet, signal.SIGINT)
    if second == 45:
        await restart(fleet, signal.SIGKILL)
    if second % 7 == 3:
        await proxy.cut()
    victims = [number for number in range(1, last + 1) if fleet.is_up(number)]
    if victims:
        fleet.kill(victims[second % len(victims)])


async def restart(fleet: Fleet, how: signal.Signals) -> None:
    """End the database, and start it again; a new one waits for the processes of a killed one."""
    server = fleet.server
    others = processes(server)[1:]
    await asyncio.to_thread(server.stop, how)
    await asyncio.to_thread(server.wait_for_end_of, others)
    await asyncio.to_thread(server.start)
    fleet.database_is_back()
