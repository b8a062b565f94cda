"""Stopping: within the grace period, whatever hangs; stray signals never kill."""

import signal
import subprocess
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import HANG, ScriptedRelay
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.sender import MAIL_SENDER, Sender
from tests.support.stub import Stub

GRACE = 0.5
IN_TIME = GRACE + 5  # seconds: with what a busy machine adds


def test_sigterm_and_sigint_end_an_idle_sender_with_0(stub: Stub) -> None:
    """Both are an orderly end."""
    for number in (signal.SIGTERM, signal.SIGINT):
        with Sender(stub.client_config, stub.sender_config) as sender:
            sender.wait_for("server_ready")
            sender.signal(number)
            assert sender.process.wait(20) == 0
        assert sender.events("stopped")


def test_stray_signals_never_kill(brisk: Stub) -> None:
    """HUP, ALRM, USR1 and USR2 end a process by default; the sender goes on sending (HUP has a use of its own)."""
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_ready")
        for number in (signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2):
            sender.signal(number)
        brisk.send_test("ellie")
        sender.wait_for("marked")
        assert sender.stop() == 0


@pytest.mark.parametrize("verb", ["BANNER", "EHLO", "AUTH", "MAIL", "RCPT", "DATA", "DOT"])
def test_a_relay_that_hangs_at_any_stage_delays_the_end_by_no_more_than_the_grace_period(
    brisk: Stub, authority: Authority, verb: str
) -> None:
    """Kanidm's sender needs SIGKILL here."""
    with ScriptedRelay({verb: HANG}, tls=authority.server()) as relay:
        configs.change(
            brisk.sender_config,
            mail_relay=f"smtps://localhost:{relay.port}",
            relay={"ca_path": authority.pem},
            worker={"stop_grace_seconds": GRACE},
        )
        brisk.send_test("ellie")
        with Sender(brisk.client_config, brisk.sender_config) as sender:
            relay.wait_for(*{"BANNER": ("CONNECT",), "DOT": ("DATA",)}.get(verb, (verb,)))
            assert sender.stop(IN_TIME) == 0
        assert [len(sender.events(name)) for name in ("stop_forced", "stopped")] == [1, 1]


def test_a_server_that_hangs_delays_the_end_by_no_more_than_the_grace_period(tmp_path: Path) -> None:
    """At the first call, before anything is known of it."""
    with ScriptedServer(lambda _method, _path: Answer(hang=True)) as server:
        client = configs.client(tmp_path, uri=server.url)
        sender_config = configs.sender(tmp_path, worker={"stop_grace_seconds": GRACE})
        with Sender(client, sender_config) as sender:
            sender.wait_for("started")
            assert sender.stop(IN_TIME) == 0


@pytest.mark.parametrize("of_whom", ["server", "relay"])
def test_a_resolver_that_hangs_delays_the_end_by_no_more_than_the_grace_period(
    brisk: Stub, tmp_path: Path, of_whom: str
) -> None:
    """A thread stuck in the C library is left behind, not waited for."""
    hanging = "nowhere.example"
    (tmp_path / "sitecustomize.py").write_text(
        "import socket, sys, threading\n"
        "real = socket.getaddrinfo\n"
        "def look_up(host, *rest, **more):\n"
        f"    if host in ({hanging!r}, {hanging.encode()!r}):\n"
        "        sys.stderr.write('x x resolver_hangs\\n')\n"
        "        threading.Event().wait()\n"
        "    return real(host, *rest, **more)\n"
        "socket.getaddrinfo = look_up\n"
    )
    configs.change(brisk.sender_config, worker={"stop_grace_seconds": GRACE})
    if of_whom == "server":
        configs.change(brisk.client_config, uri=f"https://{hanging}")
    else:
        configs.change(brisk.sender_config, mail_relay=f"smtps://{hanging}")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config, env={"PYTHONPATH": str(tmp_path)}) as sender:
        sender.wait_for("resolver_hangs")
        assert sender.stop(IN_TIME) == 0


@pytest.mark.parametrize(
    ("verb", "number", "code", "words"),
    [("MAIL", signal.SIGINT, 130, "the mail was not sent"), ("DOT", signal.SIGTERM, 143, "may have arrived")],
)
def test_a_test_mail_that_is_interrupted_says_what_is_known_of_it(
    stub: Stub, authority: Authority, verb: str, number: signal.Signals, code: int, words: str
) -> None:
    """Ctrl-C ends `-t` as it ends any command, and nobody has to guess whether the mail went out."""
    with ScriptedRelay({verb: HANG}, tls=authority.server()) as relay:
        place = f"smtps://localhost:{relay.port}"
        configs.change(stub.sender_config, mail_relay=place, relay={"ca_path": authority.pem})
        files = ["-c", str(stub.client_config), "-m", str(stub.sender_config)]
        command = [str(MAIL_SENDER), "-s", *files, "-t", "you@example.com"]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            relay.wait_for(verb)
            process.send_signal(number)
            said, log = process.communicate(timeout=20)
    assert (process.returncode, log) == (code, "")
    assert words in said.splitlines()[-1]


def test_a_second_signal_ends_at_once(brisk: Stub, authority: Authority) -> None:
    """Whoever presses Ctrl-C twice does not want to wait for the grace period."""
    with ScriptedRelay({"DOT": HANG}, tls=authority.server()) as relay:
        place = f"smtps://localhost:{relay.port}"
        table = {"ca_path": authority.pem}
        configs.change(brisk.sender_config, mail_relay=place, relay=table, worker={"stop_grace_seconds": 600})
        brisk.send_test("ellie")
        with Sender(brisk.client_config, brisk.sender_config) as sender:
            relay.wait_for("DATA")
            sender.signal(signal.SIGINT)
            sender.wait_for("stopping")
            sender.signal(signal.SIGINT)
            assert sender.process.wait(20) == 0


def test_what_is_in_flight_is_finished_and_marked_before_the_end(brisk: Stub) -> None:
    """A stop between a mail and its mark loses neither: what is sent is marked, what is not begun is left."""
    brisk.queue(
        [
            {
                "message_template": {"TestMessageV1": {"display_name": "x"}},
                "mail_destination": [{"primary": True, "value": f"u{number}@example.com"}],
            }
            for number in range(300)
        ]
    )
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("sent", 5)
        assert sender.stop() == 0
        sent, marked = len(sender.events("sent")), len(sender.events("marked"))
    assert sent == marked == len(brisk.mails()) < 300
    assert sum("sent_at" in entry for entry in brisk.messages()) == marked
