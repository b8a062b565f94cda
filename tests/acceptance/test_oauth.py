"""OAuth through the installed program: an endpoint that refuses, a secret that is mended, a mail that goes out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from mail_sender.cli import doctor_output
from mail_sender.relay.oauth import tokens
from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.support.sender import Sender, run_here
from tests.support.stub import Stub
from tests.support.token_endpoint import TokenEndpoint, granted, refused

TOKEN = "ya29.an-access-token-of-the-test"
EXPIRED = refused(401, "invalid_client", "AADSTS7000222: The provided client secret keys for app 'x' are expired.")
OFFER = {"EHLO": "250-relay.example\r\n250 AUTH LOGIN XOAUTH2"}


def configure(stub: Stub, authority: Authority, relay: ScriptedRelay, at: TokenEndpoint, secret: Path) -> None:
    """Have the sender log in by OAuth, with the client secret in a file."""
    table = {
        "flow": "client_credentials",
        "token_url": f"{at.url}/token",
        "client_id": "app",
        "client_secret_path": secret,
        "scope": "https://outlook.office365.com/.default",
        "ca_path": authority.pem,
    }
    configs.change(
        stub.sender_config,
        mail_relay=f"smtps://localhost:{relay.port}",
        mail_username=None,
        mail_password=None,
        relay={"ca_path": authority.pem, "oauth": table},
        ledger={"path": secret.parent / "state"},
    )


def test_a_mended_secret_is_tried_at_once_and_no_message_has_lost_an_attempt(stub: Stub, tmp_path: Path) -> None:
    """The log says once what to do; the secret's file is watched; neither secret nor token is logged."""
    authority, secret = Authority.make(tmp_path), tmp_path / "client-secret"
    secret.write_text("an-expired-secret-7Qv")
    stub.send_test("ellie")
    with (
        ScriptedRelay(OFFER, tls=authority.server()) as relay,
        TokenEndpoint([EXPIRED], authority.server()) as at,
    ):
        configure(stub, authority, relay, at, secret)
        with Sender(stub.client_config, stub.sender_config, "-d") as sender:
            (line,) = sender.wait_for("relay_down")
            assert "the token endpoint at localhost answers invalid_client (AADSTS7000222)" in line
            assert "make a new client secret" in line
            done = run_here("-c", stub.client_config, "-m", stub.sender_config, "queue", "list", "-o", "json")
            (waiting,) = [json.loads(one) for one in done.stdout.splitlines() if "message_id" in json.loads(one)]
            assert waiting["attempts"] == 0
            at.answers[:] = [granted(TOKEN)]
            secret.write_text("a-new-secret-8Rw")
            sender.wait_for("relay_up")
            sender.wait_for("marked")
            assert len(sender.events("relay_down")) == 1
            done = run_here("-c", stub.client_config, "-m", stub.sender_config, "status", "-o", "json")
            ends = datetime.fromisoformat(json.loads(done.stdout)["relay"]["token_expires_at"])
            assert timedelta(minutes=50) < ends - datetime.now(UTC) < timedelta(minutes=60)
            assert sender.stop() == 0
        assert [form["client_secret"] for form in at.forms][-1] == "a-new-secret-8Rw"
        assert len(relay.mails) == 1
    for text in ("an-expired-secret-7Qv", "a-new-secret-8Rw", TOKEN):
        assert text not in sender.log


def test_doctor_gets_a_token_and_logs_in_with_it(
    stub: Stub, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It says how long the token is good; without one, the login is not tried."""
    authority, secret = Authority.make(tmp_path), tmp_path / "client-secret"
    secret.write_text("a-secret-7Qv")
    found = []
    with (
        ScriptedRelay(OFFER, tls=authority.server()) as relay,
        TokenEndpoint([granted(TOKEN, 3600), EXPIRED], authority.server()) as at,
    ):
        configure(stub, authority, relay, at, secret)
        for _ in range(2):
            tokens._SHARED.clear()  # each run is a process of its own
            doctor_output.print_report((stub.client_config, stub.sender_config), "json", ["relay"], debug=False)
            found.append({one["check"]: one for one in json.loads(capsys.readouterr().out)["findings"]})
        assert relay.verbs().count("AUTH") == 1
    good, bad = found
    assert good["relay_token"]["seen"] == "the token endpoint at localhost gives an access token, good for 60 min"
    assert good["relay_login"]["level"] == good["relay_from"]["level"] == "ok"
    assert bad["relay_token"]["level"] == "fault"
    assert "AADSTS7000222" in bad["relay_token"]["seen"]
    assert "relay_login" not in bad
