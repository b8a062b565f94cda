"""SIGTERM ends the sender within the grace period also where the event loop itself is stuck."""

import json
import subprocess
import threading
from pathlib import Path

from tests.support import configs
from tests.support.scripted_server import Answer, Respond, ScriptedServer
from tests.support.sender import DEADLINE, MAIL_SENDER

GRACE = 1
IN_TIME = GRACE + 3  # seconds, with what a busy machine adds


def server_with(body: bytes, asked: threading.Event) -> Respond:
    """Return a server whose list is this; `asked` is set when it has been asked for."""

    def respond(_method: str, path: str) -> Answer:
        if path == "/v1/self":
            groups = ["idm_message_senders@localhost"]
            return Answer(body=json.dumps({"youare": {"attrs": {"name": ["x"], "memberof": groups}}}).encode())
        if not path.endswith("_ready"):
            return Answer(404)
        asked.set()
        return Answer(body=body)

    return respond


def ends_in_time(folder: Path, body: bytes) -> bool:
    """Start the sender with nobody reading its log, stop it after its poll, and say whether it ended in time."""
    asked = threading.Event()
    with ScriptedServer(server_with(body, asked)) as server:
        config = configs.sender(folder, mail_relay="localhost:1", worker={"stop_grace_seconds": GRACE})
        command = [*map(str, (MAIL_SENDER, "-s", "-c", configs.client(folder, uri=server.url), "-m", config))]
        with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
            try:
                assert asked.wait(DEADLINE)
                process.terminate()
                return process.wait(IN_TIME) == 0
            except subprocess.TimeoutExpired:
                return False
            finally:
                process.kill()


def test_a_log_that_nobody_reads_does_not_hold_the_end(tmp_path: Path) -> None:
    """Writing to a full pipe blocks: `docker logs` that hang, a pager."""
    odd = [{"id": str(number)} for number in range(3_000)]
    assert ends_in_time(tmp_path, json.dumps({"resources": odd}).encode())


def test_a_list_that_takes_long_to_read_does_not_hold_the_end(tmp_path: Path) -> None:
    """A million entries that are none keep the program busy for seconds."""
    entries = b",".join(b'{"mail_destination":[{}],"id":%d}' % number for number in range(1_000_000))
    assert ends_in_time(tmp_path, b'{"resources":[' + entries + b"]}")
