"""The installed sender on a misbehaving stub: what the rules do reaches the sender, and mail arrives all the same."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.sender import Sender, run
from tests.support.stub import Stub
from tests.support.stub_in_process import StubInProcess

ROOT = Path(__file__).parents[2]
SECONDS = 60.0
Start = Callable[[str], Stub]


@pytest.fixture
def started(tmp_path: Path) -> Iterator[Start]:
    """Give a function that starts a stub under rules, with a sender config that polls every second."""
    stubs: list[Stub] = []

    def start(text: str) -> Stub:
        file = tmp_path / "misbehave.toml"
        file.write_text(text)
        stubs.append(StubInProcess(tmp_path / "stub", misbehave=file).start())
        configs.change(stubs[0].sender_config, schedule="* * * * * *")
        return stubs[0]

    yield start
    for stub in stubs:
        stub.stop()


def flush_until(stub: Stub, sender: Sender, event: str) -> None:
    """Have the sender try at once what it waits with, until it has logged an event."""
    deadline = time.monotonic() + SECONDS
    while not sender.events(event):
        assert time.monotonic() < deadline, sender.log
        run("-m", stub.sender_config, "queue", "flush")


def test_a_lost_answer_to_the_mark_costs_no_second_mail(started: Start) -> None:
    """The server did the work; the message is marked again, and not mailed again."""
    stub = started('[[api]]\ncall = "sent"\nlose_answer = true\ntimes = 2\n')
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
    assert len(stub.mails()) == 1


def test_a_server_that_answers_with_a_proxys_page_is_waited_for(started: Start) -> None:
    """Said once when it begins and once when it ends; then the mail goes out."""
    stub = started('[[api]]\ncall = "ready"\nstatus = 502\nbody = "html"\ntimes = 2\n')
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
        assert len(sender.events("server_down")) == len(sender.events("server_up")) == 1
    assert len(stub.mails()) == 1


@pytest.mark.parametrize("how", ['body = "truncated"', 'body = "huge"', 'cut = "in_body"', 'cut = "before"'])
def test_half_a_list_or_far_too_much_of_it_is_no_list(started: Start, how: str) -> None:
    """Whatever arrived of it counts for nothing; the next poll brings the mail."""
    stub = started(f'[[api]]\ncall = "ready"\n{how}\ntimes = 1\n')
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked", seconds=SECONDS)
        assert "Traceback" not in sender.log
    assert len(stub.mails()) == 1


def test_a_greylisted_mail_comes_later(started: Start) -> None:
    """450 is not the end."""
    stub = started("[[relay]]\ngreylist_seconds = 2\n")
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("deferred")
        assert stub.mails() == []
        flush_until(stub, sender, "marked")
    assert len(stub.mails()) == 1


def test_an_expired_certificate_is_named_in_the_log(started: Start, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing goes out until there is a good one."""
    stub = started("[[relay]]\nexpired_certificate = true\ntimes = 1\n")
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        (line,) = sender.wait_for("relay_down")
        assert "expired" in line
        flush_until(stub, sender, "marked")
    assert len(stub.mails()) == 1
    assert capsys.readouterr().err == ""


def test_a_relay_that_asks_for_a_client_certificate_is_shown_one(started: Start) -> None:
    """The one that the stub has made for it, which the envelope then names."""
    stub = started('[[relay]]\nclient_certificate = "required"\n')
    pair = {"client_cert_path": stub.dir / "client.pem", "client_key_path": stub.dir / "client-key.pem"}
    configs.change(
        stub.sender_config, relay={"ca_path": str(stub.ca), **{key: str(path) for key, path in pair.items()}}
    )
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
    assert [envelope["client_certificate"] for envelope in stub.envelopes()] == ["mail-sender"]


def test_odd_entries_hold_up_nobody(started: Start) -> None:
    """Those of [queue] lie in the queue from the start; what can be mailed of them is."""
    stub = started("[queue]\nunknown_template = 1\nmalformed = 4\nmany_recipients = 1\nexpired_reset = 1\n")
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked")
        sender.wait_for("held")
        sender.wait_for("expired")
        sender.wait_for("malformed_entry")
    assert {mail["to"] for mail in stub.mails()} == {"ellie@example.com", "bob@example.com", "carol@example.com"}
    assert len(stub.messages()) == 7


def test_the_bad_day_of_the_documentation_goes_as_it_says(started: Start) -> None:
    """Greylisted, taken in silence, mailed once more as the same mail, and marked until an answer arrives."""
    documented = (ROOT / "docs" / "misbehaviour.md").read_text()
    day = documented.split("```toml\n")[1].split("```")[0]
    stub = started(day.replace("greylist_seconds = 20", "greylist_seconds = 2"))
    stub.send_test("ellie")
    with Sender(stub.client_config, stub.sender_config) as sender:
        for event in ("deferred", "uncertain", "sent", "marked"):
            flush_until(stub, sender, event)
    assert len({mail["message-id"] for mail in stub.mails()}) == 1
    assert len(stub.mails()) == 2


def test_the_example_is_a_file_that_serve_takes(started: Start) -> None:
    """It starts with it, and its entries lie in the queue."""
    stub = started((ROOT / "examples" / "misbehave.toml").read_text())
    assert stub.request("GET", "/scim/v1/Message/_ready").status_code == 502
    assert len(stub.messages()) == 4


def test_a_stop_does_not_wait_for_who_is_kept_waiting(tmp_path: Path) -> None:
    """A conversation in a stall, a connection before its first word and a slow call end with the stub, in silence."""
    slow = '[[api]]\ncall = "any"\nlatency_ms = 600000\n[[relay]]\nat = "ehlo"\nstall = true\n'
    file = tmp_path / "misbehave.toml"
    file.write_text(slow + '[[relay]]\nat = "tls"\nstall = true\n')
    with (
        Stub(tmp_path / "stub", "--misbehave", str(file)) as stub,
        socket.create_connection(("localhost", stub.ports["smtp"])) as stalled,
        socket.create_connection(("localhost", stub.ports["smtps"])),
        ssl.create_default_context(cafile=str(stub.ca)).wrap_socket(
            socket.create_connection(("localhost", stub.ports["api"])), server_hostname="localhost"
        ) as slow_call,
    ):
        assert stalled.recv(100).startswith(b"220")
        stalled.sendall(b"EHLO client.example\r\n")
        slow_call.sendall(b"GET /status HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert stub.stop() == 0
    assert stub.stderr.read_text() == ""
