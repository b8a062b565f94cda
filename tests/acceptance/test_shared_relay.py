"""Senders that share a ledger share what concerns the relay: a login that is refused is tried by one, limits hold."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import tomli

from tests.acceptance.test_shared_ledger import until
from tests.support import configs
from tests.support.certificates import Authority
from tests.support.postgres import Postgres
from tests.support.scripted_relay import ScriptedRelay
from tests.support.sender import Sender
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postgresql")

PEOPLE = [f"person-{number}@example.com" for number in range(20)]


@contextmanager
def senders(stub: Stub, folder: Path, number: int = 2) -> Iterator[Sequence[Sender]]:
    """Run senders with one configuration; each has a state folder of its own."""
    with ExitStack() as running:
        yield [
            running.enter_context(
                Sender(stub.client_config, stub.sender_config, env={"STATE_DIRECTORY": str(folder / str(one))})
            )
            for one in range(number)
        ]


def mail_to(stub: Stub, people: Sequence[str]) -> None:
    """Queue a message for each."""
    content = {"TestMessageV1": {"display_name": "Ellie"}}
    stub.queue([{"message_template": content, "mail_destination": [{"primary": True, "value": to}]} for to in people])


@pytest.fixture
def shared(brisk: Stub, postgres: Postgres) -> Stub:
    """Give a stub whose sender config names the database."""
    postgres.execute("DROP SCHEMA IF EXISTS mail_sender CASCADE")
    url = f"postgresql://mail@/mail?host={postgres.folder}&port={postgres.port}"
    configs.change(brisk.sender_config, ledger={"url": url})
    return brisk


def test_a_refused_login_is_tried_once_by_two_senders_and_a_new_password_at_once(
    shared: Stub, authority: Authority, tmp_path: Path
) -> None:
    """By the relay's own log; both say what is wrong, and that it is over, whichever of them carries the mail."""
    mail_to(shared, PEOPLE)
    with ScriptedRelay({"AUTH": ["535 5.7.8 bad", "235 2.7.0 welcome"]}, tls=authority.server()) as relay:
        place = f"smtps://localhost:{relay.port}"
        configs.change(shared.sender_config, mail_relay=place, relay={"ca_path": authority.pem})
        with senders(shared, tmp_path) as running:
            said = [sender.wait_for("relay_down")[0] for sender in running]
            assert all("535 5.7.8 bad" in line for line in said)
            assert sum("another sender has found it" in line for line in said) == 1
            assert relay.verbs().count("AUTH") == 1
            assert relay.connections == 1
            configs.change(shared.sender_config, mail_password="the right one")
            relay.wait_for("DOT", len(PEOPLE))
            for sender in running:
                sender.wait_for("relay_up")
            assert [sender.stop() for sender in running] == [0, 0]
        assert len(relay.mails) == len(PEOPLE)


def test_two_senders_keep_the_limit_that_one_would(shared: Stub, postgres: Postgres, tmp_path: Path) -> None:
    """To the last mail; both say that the rest is held back."""
    relay = tomli.loads(shared.sender_config.read_text()).get("relay", {})
    configs.change(shared.sender_config, relay={**relay, "per_minute": 8})
    mail_to(shared, PEOPLE)
    with senders(shared, tmp_path) as running:
        for sender in running:
            (held,) = sender.wait_for("held_back")
            assert "the limit of 8 mails a minute is reached ([relay] per_minute)" in held
        until(postgres, lambda: len(shared.mails()) >= 8)  # one that both tried to send is given back
        assert [sender.stop() for sender in running] == [0, 0]
    assert len(shared.mails()) == 8
