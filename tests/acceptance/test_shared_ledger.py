"""Senders that share a ledger in PostgreSQL: all carry mail, none carries another one's, and the living go on."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

from mail_sender.ledger.base import Entry, Query
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.states import State
from tests.support import configs
from tests.support.postgres import Postgres
from tests.support.sender import Sender, run_here
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

PEOPLE = [f"person-{number}@example.com" for number in range(60)]


def entries(server: Postgres) -> Sequence[Entry]:
    """Return all deliveries of the ledger that the senders share."""

    async def read() -> Sequence[Entry]:
        ledger = await PostgresLedger.open(server.target("mail_sender"), reads_only=True)
        try:
            return await ledger.find(Query(), 1_000)
        finally:
            await ledger.close()

    return asyncio.run(read())


def is_settled(entry: Entry) -> bool:
    """Say whether a delivery is sent and marked, or waits to be sent again because it may have arrived."""
    if entry.delivery.state is State.SENT:
        return entry.marked_at is not None
    return entry.delivery.state is State.QUEUED and entry.delivery.ambiguous > 0


@pytest.fixture
def shared(tmp_path: Path, postgres: Postgres) -> Iterator[Stub]:
    """Give a stub whose relay takes half a second for each mail, and whose sender config names the database."""
    rules = tmp_path / "misbehave.toml"
    rules.write_text('[[relay]]\nat = "dot"\nstall = 0.5\n')
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    with Stub(tmp_path / "stub", "--misbehave", str(rules)) as stub:
        url = f"postgresql://mail@/mail?host={postgres.folder}&port={postgres.port}"
        configs.change(stub.sender_config, schedule="* * * * * *", ledger={"url": url})
        yield stub


@pytest.mark.soak  # it waits for the end of claims, of 15 seconds
@pytest.mark.timeout(400)
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_of_three_senders_the_living_carry_what_another_one_left(
    shared: Stub, postgres: Postgres, tmp_path: Path, how: signal.Signals
) -> None:
    """In the middle: nothing is lost, no mail goes twice, and one that comes back says what the relay has taken."""
    content = {"TestMessageV1": {"display_name": "Ellie"}}
    shared.queue(
        [{"message_template": content, "mail_destination": [{"primary": True, "value": to}]} for to in PEOPLE]
    )
    with ExitStack() as running:
        senders = [
            running.enter_context(
                Sender(
                    shared.client_config, shared.sender_config, "-d", env={"STATE_DIRECTORY": str(tmp_path / name)}
                )
            )
            for name in ("first", "second", "third")
        ]
        for sender in senders:
            sender.wait_for("sent")
        senders[0].signal(how)
        until(postgres, lambda: all(map(is_settled, entries(postgres))))
        assert any(one.delivery.ambiguous for one in entries(postgres)), (
            "nothing was at its dot: that shows too little"
        )
        if how is signal.SIGSTOP:
            senders[0].signal(signal.SIGCONT)
            until(postgres, lambda: all(one.marked_at is not None for one in entries(postgres)))
        assert [sender.stop() for sender in senders[how is signal.SIGKILL :]] == [0] * (2 + (how is signal.SIGSTOP))
    found = entries(postgres)
    doctor = run_here("-m", shared.sender_config, "-c", shared.client_config, "doctor")
    assert "can be read; deliveries: " in doctor.stdout
    assert sorted(one.delivery.recipient for one in found) == sorted(PEOPLE)
    arrived = Counter(str(mail["to"]) for mail in shared.mails())
    for one in found:
        assert arrived[one.delivery.recipient] <= 1
        assert arrived[one.delivery.recipient] == 1 or one.delivery.ambiguous
    sent = {str(one.delivery.message) for one in found if one.delivery.state is State.SENT}
    assert sent == {message["id"] for message in shared.messages() if "sent_at" in message}


def test_a_sender_that_was_stopped_before_a_dot_does_not_send_it_after_another_took_over(
    shared: Stub, postgres: Postgres, tmp_path: Path
) -> None:
    """It is stopped after the commit, for longer than its claim lasts: the relay gets the mail once, from the other."""
    shared.send_test("ellie")

    def hasty(name: str, **env: str) -> Sender:
        state = {"STATE_DIRECTORY": str(tmp_path / name)}
        program = (sys.executable, "-m", "tests.support.hasty_sender")
        return Sender(shared.client_config, shared.sender_config, "-d", env={**state, **env}, program=program)

    with hasty("first", STOP_AT_DOT="1") as first:
        os.waitid(os.P_PID, first.process.pid, os.WSTOPPED)
        with hasty("second") as second:
            second.wait_for("sent")
            first.signal(signal.SIGCONT)
            first.wait_for("dot_late")
            assert [sender.stop() for sender in (first, second)] == [0, 0]
    (one,) = entries(postgres)
    assert (one.delivery.state, one.delivery.ambiguous) == (State.SENT, 1)
    assert len(shared.mails()) == 1


def test_an_operator_works_from_a_machine_without_a_sender(shared: Stub, postgres: Postgres, tmp_path: Path) -> None:
    """He sees all senders, and what he queues again goes out through them; with none of them he is told so."""

    def operate(*command: str) -> tuple[int, str, str]:
        files = ("-m", shared.sender_config, "-c", shared.client_config)
        done = run_here(*files, *command, env={"STATE_DIRECTORY": str(tmp_path / "elsewhere")})
        return done.returncode, done.stdout, done.stderr

    code, _, err = operate("status")
    assert (code, "there is no ledger yet" in err) == (78, True)
    content = {"TestMessageV1": {"display_name": "Ellie"}}
    entry = {"message_template": content, "mail_destination": [{"primary": True, "value": PEOPLE[0]}]}
    (id_,) = shared.queue([entry])
    with ExitStack() as running:
        senders = [
            running.enter_context(
                Sender(
                    shared.client_config, shared.sender_config, "-d", env={"STATE_DIRECTORY": str(tmp_path / name)}
                )
            )
            for name in ("first", "second")
        ]
        for sender in senders:
            sender.wait_for("started")
        asyncio.run(postgres.until("SELECT 1 FROM mail_sender.message WHERE marked_at IS NOT NULL"))
        code, out, _ = operate("status")
        assert (code, out.splitlines()[0]) == (0, "mail flows: 2 senders run elsewhere")
        assert [f"({sender.process.pid})" in out for sender in senders] == [True, True]
        here = run_here("-m", shared.sender_config, "status", env={"STATE_DIRECTORY": str(tmp_path / "second")})
        assert (here.returncode, "answers here" in here.stdout) == (0, True)
        code, out, err = operate("queue", "list")
        assert (code, id_[:8] in out) == (0, True)
        assert "2 senders run, none answers here" in err
        code, out, err = operate("queue", "resend", "-y", id_)
        assert (code, "was sent; a copy is queued" in out) == (0, True)
        assert "2 senders run, none answers here" in err, "who changes something is no sender either"
        code, out, _ = operate("queue", "flush")
        assert (code, out) in {(0, "1 delivery: 1 sent\n"), (0, "nothing is queued or held\n")}
        asyncio.run(postgres.until("SELECT 1 FROM mail_sender.delivery WHERE copy = 1 AND state = 'sent'"))
        assert len(shared.mails()) == 2
        assert operate("healthcheck")[0] == 3
        code, out, _ = operate("doctor", "--only", "ledger")
        assert (code, "2 senders run on it" in out) == (0, True)
        assert [sender.stop() for sender in senders] == [0, 0]
    code, out, _ = operate("status")
    assert (code, out.splitlines()[0]) == (3, "no sender runs: mail waits until one starts")
    assert "no sender runs" in operate("queue", "list")[2]


def until(server: Postgres, is_so: Callable[[], bool]) -> None:
    """Wait until something is so; the test's time-out ends it."""
    while not is_so():
        server.execute("SELECT pg_sleep(0.2)")
