"""Limits and disposable domains, by the installed program: held back, shown, kept over a restart, taken away."""

import subprocess
from pathlib import Path

import tomli

from tests.support import configs
from tests.support.sender import DEADLINE, MAIL_SENDER, Sender
from tests.support.stub import Stub

REASON = "the limit of 2 mails a minute is reached ([relay] per_minute)"


def queue(stub: Stub, *words: str) -> subprocess.CompletedProcess[str]:
    files = ["-c", str(stub.client_config), "-m", str(stub.sender_config)]
    command = [str(MAIL_SENDER), *files, "queue", *words]
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=DEADLINE, check=False
    )


def mail_to(stub: Stub, *recipients: str) -> list[str]:
    content = {"TestMessageV1": {"display_name": "Ellie"}}
    return stub.queue(
        [
            {"message_template": content, "mail_destination": [{"primary": True, "value": recipient}]}
            for recipient in recipients
        ]
    )


def test_limits_hold_mail_back_over_a_restart_until_they_are_taken_away(brisk: Stub, tmp_path: Path) -> None:
    """The log says it once, the queue verbs say it of each delivery, and a refused recipient may be retried."""
    (tmp_path / "throwaway.txt").write_text("# ours\nthrowaway.example\n")
    relay = tomli.loads(brisk.sender_config.read_text()).get("relay", {})
    recipients = {"disposable_domains_path": tmp_path / "throwaway.txt", "disposable": "refuse"}
    limited = {**relay, "per_minute": 2}
    configs.change(brisk.sender_config, relay=limited, recipients=recipients, ledger={"path": tmp_path / "state"})
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        *_, refused = mail_to(brisk, "a@example.com", "b@example.com", "c@example.com", "x@a.throwaway.example")
        sender.wait_for("sent", 2)
        sender.wait_for("failed")
        (held,) = sender.wait_for("held_back")
        assert REASON in held
        done = queue(brisk, "list")
        assert "A limit has held mail back for" in done.stderr
        assert "held back by per_minute until" in done.stdout
        assert "throwaway.example is on the list of disposable domains" in done.stdout
        flushed = queue(brisk, "flush")
        assert (flushed.returncode, f"{REASON}, and a flush does not lift it" in flushed.stdout) == (75, True)
        assert sender.stop() == 0
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("held_back")
        assert queue(brisk, "retry", refused).returncode == 0
        assert len(brisk.mails()) == 2
        configs.change(brisk.sender_config, relay=relay)
        sender.wait_for("sent", 2)
        assert sender.stop() == 0
    assert "x@a.throwaway.example" in {mail["to"] for mail in brisk.mails()}
    assert len(brisk.mails()) == 4
