"""Alerts of the installed program: somebody is called when the relay is down, and when it is up again."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.sender import DEADLINE, Sender, run
from tests.support.stub import Stub

PATH = "/services/T0K3NSPACE/x9Zq-secret-part"
SECRETS = ("T0K3N", "x9Zq", "s3cr3t", "4rgum3nt")


class Webhook(ScriptedServer):
    """A receiver of alerts with its own TLS; `wait_for` returns once it has got so many about the relay."""

    def __init__(self, authority: Authority, answer: Answer | None = None) -> None:
        self._changed = threading.Condition()
        self._answer = answer or Answer()
        super().__init__(self._answered, authority.server())

    def wait_for(self, count: int) -> list[dict[str, object]]:
        """Return the alerts about the relay, once there are so many; on a busy machine polls may be late as well."""
        with self._changed:
            assert self._changed.wait_for(lambda: len(self._relays()) >= count, DEADLINE), self.posted
        return self._relays()

    def _relays(self) -> list[dict[str, object]]:
        return about_the_relay([body.decode() for _, body in self.posted])

    def _answered(self, *_: str) -> Answer:
        with self._changed:
            self._changed.notify_all()
        return self._answer


@pytest.fixture
def table(authority: Authority, tmp_path: Path) -> Callable[[Webhook], dict[str, object]]:
    """Give a function that returns [alert] with a webhook and a command, which appends its input to a file."""
    script = f"cat >> {tmp_path}/alerts; echo >> {tmp_path}/alerts"

    def make(webhook: Webhook) -> dict[str, object]:
        return {
            "url": f"{webhook.url}{PATH}",
            "command": ["/bin/sh", "-c", script, "4rgum3nt"],
            "ca_path": authority.pem,
            "after_seconds": 1,
        }

    return make


def test_a_relay_that_is_down_is_alerted_once_and_so_is_its_end(
    stub: Stub, authority: Authority, table: Callable[[Webhook], dict[str, object]], tmp_path: Path
) -> None:
    """A changed configuration in between loses nothing; no output holds a secret."""
    busy = ScriptedRelay({"BANNER": ["421 busy", "220 ready"]}, tls=authority.server())
    with Webhook(authority) as webhook, busy as relay:
        configs.change(
            stub.sender_config,
            mail_relay=f"smtps://localhost:{relay.port}",
            relay={"ca_path": authority.pem},
            alert=table(webhook),
        )
        stub.send_test("ellie")
        with Sender(stub.client_config, stub.sender_config, "-d") as sender:
            webhook.wait_for(1)
            configs.change(stub.sender_config, instance_display_name="Another Name")
            sender.wait_for("relay_up")
            alerts = webhook.wait_for(2)
            while sum("relay_down" in line for line in sender.events("alert_sent")) < 4:
                sender.wait_for("alert_sent", len(sender.events("alert_sent")) + 1)
            assert sender.stop() == 0
        assert not any(secret in sender.log for secret in SECRETS)
    assert [alert["status"] for alert in alerts] == ["firing", "resolved"]
    assert "421 busy" in str(alerts[0]["summary"])
    assert (alerts[0]["severity"], alerts[0]["count"]) == ("critical", 1)
    given = about_the_relay((tmp_path / "alerts").read_text().splitlines())
    assert [alert["status"] for alert in given] == ["firing", "resolved"]


def about_the_relay(texts: list[str]) -> list[dict[str, object]]:
    """Return the alerts about the relay."""
    return [alert for alert in map(json.loads, texts) if alert["key"] == "relay_down"]


def test_a_test_alert_goes_to_all_receivers_and_its_exit_code_says_whether_they_took_it(
    authority: Authority, table: Callable[[Webhook], dict[str, object]], tmp_path: Path
) -> None:
    """And what they answered is printed, without what they repeat of the secrets."""
    client = configs.client(tmp_path)
    with Webhook(authority, Answer(body=b"thanks")) as webhook:
        sender = configs.sender(tmp_path, alert=table(webhook))
        done = run("-c", client, "-m", sender, "alert", "test")
    assert done.stdout == "the webhook at localhost: 200: thanks\nthe command /bin/sh: exit code 0\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads((tmp_path / "alerts").read_text())["key"] == "test"
    with Webhook(authority, Answer(403, f"no {PATH}".encode())) as webhook:
        refused = {
            "url": f"{webhook.url}{PATH}",
            "ca_path": authority.pem,
            "command": ["/nowhere/notify", "4rgum3nt"],
        }
        sender = configs.sender(tmp_path, alert=refused)
        done = run("-c", client, "-m", sender, "alert", "test")
    assert done.returncode == 1
    first, second = done.stdout.splitlines()
    assert first.startswith("not delivered: the webhook at localhost answers 403: no ***; check [alert] url")
    assert second.startswith("not delivered: the command /nowhere/notify cannot be started: no such file")
    assert not any(secret in done.stdout + done.stderr for secret in SECRETS)


def test_without_receivers_a_test_alert_is_a_fault(tmp_path: Path) -> None:
    """Nobody should believe that somebody would be called."""
    done = run("-c", configs.client(tmp_path), "-m", configs.sender(tmp_path), "alert", "test")
    assert (done.returncode, done.stdout) == (1, "")
    assert "no alerts are set up: set url or command in [alert]" in done.stderr
