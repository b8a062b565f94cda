"""Of the senders that share a ledger one polls the queue; when it is gone, another one does."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.postgres import Postgres
from tests.support.sender import Sender
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

PEOPLE = [f"person-{number}@example.com" for number in range(24)]


@pytest.fixture
def shared(tmp_path: Path, postgres: Postgres) -> Iterator[Stub]:
    """Give a stub whose sender config names a database, and a schedule of every second."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    with Stub(tmp_path / "stub") as stub:
        url = f"postgresql://mail@/mail?host={postgres.folder}&port={postgres.port}"
        configs.change(stub.sender_config, schedule="* * * * * *", ledger={"url": url})
        yield stub


@pytest.mark.parametrize(
    "how", [signal.SIGTERM, pytest.param(signal.SIGKILL, marks=pytest.mark.soak)]  # a lease has to run out
)  # fmt: skip
def test_one_of_two_senders_lists_the_queue_and_the_other_one_follows(
    shared: Stub, tmp_path: Path, how: signal.Signals
) -> None:
    """Both mail what it finds, each its share; and the other one polls as soon as it is gone.

    That they are configured differently is said.
    """
    another = tmp_path / "mail-sender-of-second"
    another.write_text(shared.sender_config.read_text())
    configs.change(another, instance_display_name="Another Identity")

    def sender(name: str, config: Path = shared.sender_config) -> Sender:
        return Sender(shared.client_config, config, "-d", env={"STATE_DIRECTORY": str(tmp_path / name)})

    def queue(people: list[str]) -> None:
        content = {"TestMessageV1": {"display_name": "Ellie"}}
        shared.queue(
            [{"message_template": content, "mail_destination": [{"primary": True, "value": to}]} for to in people]
        )

    with sender("first") as first:
        first.wait_for("polled")
        with sender("second", another) as second:
            second.wait_for("server_ready")
            assert "configured differently" in first.wait_for("senders_differ")[0]
            first.wait_for("polled", len(first.events("polled")) + 4)  # the first one knows of the second one's share
            queue(PEOPLE)
            while len(first.events("marked")) + len(second.events("marked")) < len(PEOPLE):
                first.wait_for("polled", len(first.events("polled")) + 1)
            assert first.events("sent")
            marked = len(second.events("marked"))
            assert marked
            assert not second.events("polled")
            assert [len(one.events(name)) for one, name in ((first, "polls"), (second, "follows"))] == [1, 1]
            first.signal(how)
            second.wait_for("polls")
            queue(["late@example.com"])
            second.wait_for("marked", marked + 1)
            assert second.stop() == 0
    assert sorted(str(mail["to"]) for mail in shared.mails()) == sorted([*PEOPLE, "late@example.com"])
