"""What the installed sender serves at `[observe] listen`: to probes and to Prometheus, while it works and stands by."""

import json
import re
import shutil
import signal
import socket
from pathlib import Path

from tests.support import configs
from tests.support.sender import Sender
from tests.support.stub import Stub


def get(at: str, path: str) -> tuple[int, str]:
    """Return status and body; `at` is what the log names."""
    if at.startswith("unix:"):
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(at.removeprefix("unix:"))
    else:
        host, _, port = at.rpartition(":")
        connection = socket.create_connection((host, int(port)))
    with connection:
        connection.settimeout(20)
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        answer = b"".join(iter(lambda: connection.recv(65536), b"")).decode()
    head, _, body = answer.partition("\r\n\r\n")
    return int(head.split()[1]), body


def place(sender: Sender, count: int = 1) -> str:
    """Return where it listens, as the log says it for the so-manieth time."""
    found = re.search(r"at=(\S+)", sender.wait_for("observe_listening", count)[-1])
    assert found
    return found[1]


def value(text: str, sample: str) -> float:
    """Return the value of a sample, written as in the exposition."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"{sample} ")]
    return float(line.rpartition(" ")[2])


def test_a_mail_is_counted_on_its_way_and_a_change_moves_the_listener(brisk: Stub, tmp_path: Path) -> None:
    """Poll, stages, commits, mark: each is in /metrics after one mail; and no secret, link or address is."""
    configs.change(brisk.sender_config, observe={"listen": "127.0.0.1:0"})
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        at = place(sender)
        sender.wait_for("marked")
        assert get(at, "/health/alive") == (200, '{"alive":true,"why":[]}')
        code, body = get(at, "/health/ready")
        assert (code, json.loads(body)["ready"], json.loads(body)["why"]) == (200, True, [])
        code, text = get(at, "/metrics")
        assert code == 200
        for sample in (
            'attempts_total{stage="dot",verdict="accepted"}',
            'smtp_stage_duration_seconds_count{stage="rcpt"}',
            'commit_duration_seconds_count{operation="dot"}',
            'marks_total{result="succeeded"}',
            'deliveries{kind="test_message_v1",state="sent"}',
            'breaker_state{state="closed"}',
            "alive",
        ):
            assert value(text, f"mail_sender_{sample}") == 1
        assert value(text, 'mail_sender_polls_total{result="succeeded"}') >= 1
        for secret in (*brisk.tokens.values(), "ellie", "example.com", str(tmp_path)):
            assert secret not in text
        moved = f"unix:{tmp_path / 'observe.sock'}"
        configs.change(brisk.sender_config, observe={"listen": moved})
        assert place(sender, 2) == moved
        assert value(get(moved, "/metrics")[1], 'mail_sender_attempts_total{stage="dot",verdict="accepted"}') == 1
        assert sender.stop() == 0
    assert not (tmp_path / "observe.sock").exists()


def test_who_stands_by_is_alive_and_not_ready(stub: Stub, tmp_path: Path) -> None:
    """An orchestrator does not kill it; as soon as it takes over, it shows what it does."""
    configs.change(stub.sender_config, ledger={"path": tmp_path / "state"})
    with Sender(stub.client_config, stub.sender_config) as first:
        first.wait_for("server_ready")
        other = Path(shutil.copy(stub.sender_config, tmp_path / "other"))
        configs.change(other, observe={"listen": f"unix:{tmp_path / 'second.sock'}"})
        with Sender(stub.client_config, other) as second:
            second.wait_for("standing_by")
            at = place(second)
            assert get(at, "/health/alive")[0] == 200
            code, body = get(at, "/health/ready")
            assert (code, "stands by" in json.loads(body)["why"][0]) == (503, True)
            assert value(get(at, "/metrics")[1], "mail_sender_standing_by") == 1
            first.signal(signal.SIGKILL)
            second.wait_for("server_ready")
            assert value(get(at, "/metrics")[1], "mail_sender_standing_by") == 0
            assert second.stop() == 0
