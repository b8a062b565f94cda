"""A second relay: mail goes over while the first one is down, comes back by itself, and no mail goes to both."""

import json
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, ScriptedRelay
from tests.support.sender import Sender, run, run_here
from tests.support.stub import Stub

BUSY, WELCOME = "421 4.3.2 busy", "220 relay.example"


def use(stub: Stub, authority: Authority, first: ScriptedRelay, second: ScriptedRelay) -> Path:
    """Name both relays in the configuration; return its file."""
    fallback = {"mail_relay": f"smtps://localhost:{second.port}", "ca_path": authority.pem, "after_seconds": 0}
    login = {"mail_username": "second", "mail_password": "s3cond-password"}
    return configs.change(
        stub.sender_config,
        schedule="* * * * * *",
        mail_relay=f"smtps://localhost:{first.port}",
        relay={"ca_path": authority.pem, "fallback": [{**fallback, **login}]},
    )


def ask(stub: Stub, *command: str) -> tuple[int, str]:
    """Run a command on the running sender, in this process; return its exit code and its output."""
    done = run_here("-c", stub.client_config, "-m", stub.sender_config, *command)
    return done.returncode, done.stdout


def test_mail_goes_over_to_the_fallback_comes_back_and_both_is_said(stub: Stub, authority: Authority) -> None:
    """In the log, the status, the health and the history of each mail."""
    banner = [BUSY]
    with (
        ScriptedRelay({"BANNER": banner}, tls=authority.server()) as first,
        ScriptedRelay(tls=authority.server()) as second,
    ):
        use(stub, authority, first, second)
        stub.send_test("ellie")
        with Sender(stub.client_config, stub.sender_config) as sender:
            (over,) = sender.wait_for("relay_switched")
            assert f"mail goes through localhost:{second.port} until localhost:{first.port} takes mail again" in over
            (sent,) = sender.wait_for("sent")
            assert f"relay=localhost:{second.port}" in sent
            code, shown = ask(stub, "status", "-o", "json")
            status = json.loads(shown)
            assert (code, status["healthy"], status["sender"]["ready"]) == (0, True, True)
            assert (status["relay"]["carries"], [one["carries"] for one in status["fallbacks"]]) == (False, [True])
            (condition,) = [one for one in status["conditions"] if one["name"] == "relay"]
            assert f"mail goes through localhost:{second.port} meanwhile" in condition["detail"]
            assert ask(stub, "status")[1].startswith(f"mail flows through the fallback localhost:{second.port}: ")
            assert ask(stub, "healthcheck", "--ready")[0] == 0
            page = " ".join(ask(stub, "queue", "show", str(stub.messages()[0]["id"]))[1].split())
            assert f"(through localhost:{first.port})" in page
            assert f"(through localhost:{second.port})" in page
            banner[:] = [WELCOME]
            assert "the next mail probes the relay" in ask(stub, "queue", "flush")[1]
            stub.send_test("ellie")
            back = sender.wait_for("relay_switched", 2)[1]
            assert f"localhost:{first.port} takes mail again" in back
            assert "fallback" not in ask(stub, "status")[1].splitlines()[0]
            sender.stop()
    assert (len(first.mails), len(second.mails)) == (1, 1)
    assert "s3cond-password" not in sender.log


def test_a_mail_cut_at_the_first_relays_dot_never_goes_to_the_fallback(stub: Stub, authority: Authority) -> None:
    """Other mail does; its second copy goes where the first one may be, as soon as that relay is back."""
    banner, dot = [WELCOME], [CUT]
    with (
        ScriptedRelay({"BANNER": banner, "DOT": dot}, tls=authority.server()) as first,
        ScriptedRelay(tls=authority.server()) as second,
    ):
        use(stub, authority, first, second)
        stub.send_test("ellie")
        with Sender(stub.client_config, stub.sender_config) as sender:
            sender.wait_for("uncertain")
            banner[:], dot[:] = [BUSY], ["250 2.0.0 ok"]
            for _ in range(2):
                stub.send_reset("ellie")
            sender.wait_for("sent", 2)
            code, _ = ask(stub, "queue", "flush")  # it is due now
            assert code != 0
            assert len(second.mails) == 2
            banner[:] = [WELCOME]
            ask(stub, "queue", "flush")
            sender.wait_for("sent", 3)
            sender.stop()
    assert len(second.mails) == 2
    assert len(first.mails) == 2
    assert first.mails[0] == first.mails[1]


def test_a_test_mail_and_doctor_try_each_relay(stub: Stub, authority: Authority) -> None:
    """-t alone says that there is more to test, and names the flag."""
    with (
        ScriptedRelay(tls=authority.server()) as first,
        ScriptedRelay({"AUTH": "535 5.7.8 no"}, tls=authority.server()) as second,
    ):
        use(stub, authority, first, second)
        code, said = ask(stub, "-s", "-t", "you@example.com")
        assert code == 0
        assert f"(localhost:{second.port}): --fallback 1 does" in said
        code, said = ask(stub, "-s", "-t", "you@example.com", "--fallback", "1")
        assert code == 1
        assert "Not sent: auth: " in said
        code, said = ask(stub, "doctor", "--only", "relay")
        assert code == 1
        assert f"fallback 1 (localhost:{second.port}): " in said
        assert "it takes the login" in said
    assert len(first.mails) == 1
    assert second.mails == []


@pytest.mark.parametrize("arguments", [["-t", "you@example.com", "--fallback", "2"], ["--fallback", "1"]])
def test_a_fallback_that_is_not_there_is_wrong_usage(stub: Stub, arguments: list[str]) -> None:
    """Nothing is sent through another one instead."""
    done = run_here("-s", "-c", stub.client_config, "-m", stub.sender_config, *arguments)
    assert done.returncode == 2
    assert "--fallback" in done.stderr


def test_one_run_uses_the_fallback_at_once(stub: Stub, authority: Authority) -> None:
    """A run for cron has no time to wait until the first relay has been down for long enough."""
    with (
        ScriptedRelay({"BANNER": BUSY}, tls=authority.server()) as first,
        ScriptedRelay(tls=authority.server()) as second,
    ):
        path = use(stub, authority, first, second)
        path.write_text(path.read_text().replace("after_seconds = 0", "after_seconds = 3600"))
        stub.send_test("ellie")
        done = run("-s", "-c", stub.client_config, "-m", stub.sender_config, "run", "--once")
    assert done.returncode == 0
    assert len(second.mails) == 1
