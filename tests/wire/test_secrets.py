"""A relay that repeats what it was told: neither the log nor -t shows it."""

import base64
import json
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_server import Answer, ScriptedServer
from tests.support.sender import DEADLINE, MAIL_SENDER, Sender
from tests.wire.conftest import Puppet
from tests.wire.puppet_relay import EHLO, Play, Wire

PASSWORD, USER = str(configs.KANIDM["mail_password"]), str(configs.KANIDM["mail_username"])
PLAIN = base64.b64encode(f"\0{USER}\0{PASSWORD}".encode()).decode()
INTENT = "d1c2s-tuyyh-kcpx2-zhfqx"
ENTRY = {
    "id": "6b0e0f2c-8a0d-4b52-9c6b-3b1c76f1c001",
    "send_after": "2026-01-01T00:00:00Z",
    "delete_after": "2099-01-01T00:00:00Z",
    "mail_destination": [{"value": "ellie@example.com"}],
    "message_template": {
        "CredentialResetV1": {"display_name": "Ellie", "intent_id": INTENT, "expiry_time": int(time.time()) + 10**6}
    },
}


def respond(_method: str, path: str) -> Answer:
    """Be a server with one credential reset."""
    if path == "/v1/self":
        groups = ["idm_message_senders@localhost"]
        return Answer(body=json.dumps({"youare": {"attrs": {"name": ["x"], "memberof": groups}}}).encode())
    return Answer(body=json.dumps({"resources": [ENTRY]}).encode()) if path.endswith("_ready") else Answer(404)


def repeats_the_login(wire: Wire) -> None:
    """Refuse a login by quoting it, in base64 and in clear."""
    wire.tls()
    wire.send("220 relay.example\r\n")
    wire.line()
    wire.send(EHLO)
    wire.send(f"535 5.7.8 what is {wire.line()} ({PASSWORD})?\r\n")
    wire.heard_until_silence()


def answers(reply: bytes) -> Play:
    """Return a play that answers the dot so."""

    def play(wire: Wire) -> None:
        wire.login()
        wire.until_data()
        wire.send("354 go on\r\n")
        wire.until(b"\r\n.\r\n")
        wire.send(reply + b"\r\n")
        wire.line()
        wire.send("250 2.0.0 ok\r\n")

    return play


Files = tuple[Path, Path]
Start = Callable[[ScriptedServer, Play], Files]


@pytest.fixture
def files(tmp_path: Path, authority: Authority, puppet: Puppet) -> Start:
    """Give a writer of both configs, for a server and a relay."""

    def write(server: ScriptedServer, play: Play) -> Files:
        place = f"smtps://localhost:{puppet(play).port}"
        table = {"ca_path": authority.pem}
        return configs.client(tmp_path, uri=server.url), configs.sender(tmp_path, mail_relay=place, relay=table)

    return write


def try_mail(files: Files, **env: str) -> tuple[int, str]:
    """Send a -t mail; return exit code and all that was printed."""
    client, config = files
    command = [*map(str, (MAIL_SENDER, "-s", "-d", "-c", client, "-m", config, "-t", "you@example.com"))]
    done = subprocess.run(command, capture_output=True, env={**os.environ, **env}, timeout=DEADLINE, check=False)
    return done.returncode, (done.stdout + done.stderr).decode(errors="replace")


def test_a_login_that_the_relay_repeats_is_not_logged(files: Start) -> None:
    """The password in clear, and AUTH PLAIN's argument, which is the password as well."""
    with ScriptedServer(respond) as server, Sender(*files(server, repeats_the_login), "-d") as sender:
        sender.wait_for("relay_down")
        assert PASSWORD not in sender.log
        assert PLAIN not in sender.log


def test_a_login_that_the_relay_repeats_is_not_printed(files: Start) -> None:
    """-t prints without the log's net."""
    with ScriptedServer(respond) as server:
        code, said = try_mail(files(server, repeats_the_login))
    assert code == 1
    assert PASSWORD not in said
    assert PLAIN not in said


@pytest.mark.parametrize(
    "quoted",
    [
        f"https://idm.example.com/ui/reset?token={INTENT}",
        f"idm.example.com/ui/reset?token={INTENT}",
        f"HXXPS://idm[.]example[.]com/ui/reset?token=3D{INTENT}",
        f"token {INTENT}",
    ],
)
def test_a_link_that_the_relay_repeats_is_not_logged(files: Start, quoted: str) -> None:
    """Content filters quote what they block, in their own spelling."""
    play = answers(f"554 5.7.1 blocked: {quoted}".encode())
    with ScriptedServer(respond) as server, Sender(*files(server, play), "-d") as sender:
        sender.wait_for("relay_down")  # 5.7.1 may be the fault of the configuration
        assert INTENT not in sender.log


def test_a_recipient_that_the_relay_repeats_is_masked(files: Start) -> None:
    """Postfix does so in each refusal."""
    play = answers(b"550 5.1.1 <Ellie@example.com>: Recipient address rejected")
    with ScriptedServer(respond) as server, Sender(*files(server, play), "-d") as sender:
        sender.wait_for("failed")
        assert "ellie@example.com" not in sender.log.lower()


def test_a_reply_in_no_alphabet_is_printed_harmlessly(files: Start) -> None:
    """Neither a traceback on a strict terminal, nor control characters on any; a yes is 0."""
    with ScriptedServer(respond) as server:
        place = files(server, answers(b"250 2.0.0 f\xfcr dich \x1b]0;x\x07 \xc2\x9b31m \xff"))
        for encoding in ("utf-8:strict", "ascii:strict"):
            code, said = try_mail(place, PYTHONIOENCODING=encoding)
            assert code == 0
            assert "Traceback" not in said
            assert all(char.isprintable() or char == "\n" for char in said)


def test_a_reply_of_any_length_is_a_short_line_of_the_log(files: Start) -> None:
    """32 kB per mail would drown the rest."""
    play = answers(b"".join(b"550-" + b"x" * 5_000 + b"\r\n" for _ in range(5)) + b"550 no")
    with ScriptedServer(respond) as server, Sender(*files(server, play)) as sender:
        assert len(sender.wait_for("failed")[0]) < 2_000
