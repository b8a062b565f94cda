"""The examples for monitoring under Debian's Prometheus: they are valid, each alert fires, and a real one sees a real sender."""

import json
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import pytest

from mail_sender.observe.metrics import Metrics
from tests.monitoring.alerts import FIRING, unit_tests
from tests.support import configs
from tests.support.sender import Sender
from tests.support.statuses import status
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("prometheus")

EXAMPLES = Path(__file__).resolve().parents[2] / "examples/monitoring"
RULES = EXAMPLES / "mail-sender.rules.yml"
DASHBOARD = EXAMPLES / "dashboard.json"
DEADLINE = 60.0
EXPIRED = {
    "message_template": {
        "CredentialResetV1": {"display_name": "Ellie", "intent_id": "aBcDe-1", "expiry_time": 1_600_000_000}
    },
    "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
}


def promtool(*args: str | Path, **rest: Any) -> None:
    """Run promtool, and fail with what it says."""
    done = subprocess.run(["promtool", *args], capture_output=True, check=False, timeout=60, **rest)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()


def test_promtool_accepts_configuration_and_rules_and_metrics() -> None:
    """Names, units and help texts of the metrics, too: it has its own opinion of all of them."""
    promtool("check", "config", EXAMPLES / "prometheus.yml")
    promtool("check", "rules", RULES)
    promtool("check", "metrics", input=Metrics().exposition(status(fault="auth")))


def test_every_alert_fires_in_its_time_and_none_for_a_sender_that_is_well(tmp_path: Path) -> None:
    """Not a minute before, and with what to do; an alert without a case here would be an alert that nobody has seen."""
    rules = RULES.read_text()
    assert re.findall(r"- alert: (\w+)", rules) == list(FIRING)
    page = (EXAMPLES.parents[1] / "docs/monitoring.md").read_text()
    assert re.findall(r"\| `(Mail\w+)` \| (?:critical|warning) \|", page) == list(FIRING)
    for annotation in ("summary", "description", "action", "severity"):
        assert len(re.findall(rf"(?m)^ +{annotation}: ", rules)) == len(FIRING)
    (file := tmp_path / "tests.json").write_text(json.dumps(unit_tests(RULES)))
    promtool("test", "rules", file)


def panels() -> Iterator[dict[str, Any]]:
    yield from json.loads(DASHBOARD.read_text())["panels"]


def test_the_dashboard_asks_for_metrics_that_there_are(tmp_path: Path) -> None:
    """Every query is one that Prometheus can read; and each metric that the sender has is on the dashboard or in an alert."""
    queries = [target["expr"] for panel in panels() for target in panel.get("targets", ())]
    filled_in = [query.replace("$__rate_interval", "1m").replace("$instance", ".*") for query in queries]
    recorded = [{"record": f"panel:{number}", "expr": query} for number, query in enumerate(filled_in)]
    (file := tmp_path / "rules.json").write_text(json.dumps({"groups": [{"name": "panels", "rules": recorded}]}))
    promtool("check", "rules", file)
    have = set()
    for family in Metrics().registry.collect():
        end = {"counter": "_total", "histogram": "_bucket"}.get(family.type, "")
        have |= {f"{family.name}{end}"}
    named = set(re.findall(r"\b(?:mail_sender|process|python)_\w+", " ".join(queries)))
    assert named <= have
    named |= set(re.findall(r"\bmail_sender_\w+", RULES.read_text()))
    unseen = {name for name in have if name.startswith("mail_sender_")} - named
    assert unseen == {
        "mail_sender_loop_late_seconds",
        "mail_sender_next_poll_timestamp_seconds",
        "mail_sender_relay_token_expiry_timestamp_seconds",  # it is renewed every hour
    }


def test_the_panels_of_the_dashboard_stand_side_by_side() -> None:
    """Each has a number of its own, a title, a text, a data source that is chosen, and a place that no other one covers."""
    shown = list(panels())
    assert len({panel["id"] for panel in shown}) == len(shown)
    covered: set[tuple[int, int]] = set()
    for panel in shown:
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & covered, panel["title"]
        assert max(x for x, _ in cells) < 24
        covered |= cells
        assert panel["title"]
        if panel["type"] != "row":
            assert panel["description"]
            assert {target["datasource"]["uid"] for target in panel["targets"]} == {"${datasource}"}


class Prometheus:
    """A running Prometheus, and a client of its API."""

    def __init__(self, process: subprocess.Popen[bytes], api: httpx.Client, log: Path) -> None:
        self.api = api
        self._process = process
        self._log = log

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the series that an expression finds now; none while it does not listen yet."""
        try:
            answer = self.api.get("/query", params={"query": expression})
        except httpx.TransportError:
            return []
        return list(answer.json()["data"]["result"]) if answer.status_code == 200 else []

    def wait_for(self, expression: str) -> None:
        """Wait until an expression finds something."""
        end = time.monotonic() + DEADLINE
        while not self.query(expression):
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(0.05)
                raise AssertionError(self._log.read_text())
            assert time.monotonic() < end, f"{expression} finds nothing"


@contextmanager
def prometheus(folder: Path, target: str) -> Iterator[Prometheus]:
    """Run Prometheus on the examples, but five times a second."""
    text = (EXAMPLES / "prometheus.yml").read_text()
    text = text.replace("15s", "200ms").replace("127.0.0.1:9310", target).replace("mail-sender.rules.yml", str(RULES))
    (config := folder / "prometheus.yml").write_text(text)
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        place = f"127.0.0.1:{free.getsockname()[1]}"
    flags = [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", f"--web.listen-address={place}"]
    with (log := folder / "prometheus.log").open("wb") as output:
        process = subprocess.Popen(["prometheus", *flags], stderr=output, stdout=output)
    try:
        with httpx.Client(base_url=f"http://{place}/api/v1", trust_env=False) as api:
            yield Prometheus(process, api, log)
    finally:
        process.kill()
        process.wait()


def test_a_real_prometheus_sees_a_mail_and_an_alert_fires(stub: Stub, tmp_path: Path) -> None:
    """From the installed sender through the example configuration: a mail that is sent, and a reset that expired."""
    configs.change(stub.sender_config, schedule="* * * * * *", observe={"listen": "127.0.0.1:0"})
    with Sender(stub.client_config, stub.sender_config) as sender:
        found = re.search(r"at=(\S+)", sender.wait_for("observe_listening")[0])
        assert found
        with prometheus(tmp_path, found[1]) as watching:
            watching.wait_for('mail_sender_deliveries_finished_total{state="expired"} == 0')
            stub.send_test("ellie")
            stub.queue([EXPIRED])
            watching.wait_for('mail_sender_attempts_total{verdict="accepted", stage="dot"} == 1')
            watching.wait_for('ALERTS{alertname="MailNotDelivered", alertstate="firing", state="expired"}')
            alerts = watching.api.get("/alerts").json()["data"]["alerts"]
            (alert,) = [one for one in alerts if one["state"] == "firing"]
            assert "mail-sender queue list --status expired" in alert["annotations"]["action"]
            for series in ("up == 1", "process_resident_memory_bytes", "python_gc_collections_total"):
                assert watching.query(series)
        assert sender.stop() == 0
