"""The systemd unit of the examples, read by systemd itself."""

import subprocess
from pathlib import Path

import pytest

from tests.repo import checkout
from tests.support.sender import MAIL_SENDER

UNIT = checkout.ROOT / "examples/systemd/mail-sender.service"
MOST_EXPOSED = 20
"""Of systemd's scale to 100, where a service without any protection has 96."""


@pytest.mark.debian("systemd")
def test_systemd_finds_nothing_wrong_with_the_unit_and_calls_it_well_protected(tmp_path: Path) -> None:
    """An option that it does not know, or a program that is not there, would be a word of its own."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/mail-sender/bin/mail-sender", str(MAIL_SENDER)))
    verified = _analyze("verify", "--man=no", unit)
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")
    protected = _analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert protected.returncode == 0, protected.stdout


@pytest.mark.debian("systemd")
def test_systemd_finds_nothing_wrong_with_the_unit_that_says_that_the_sender_has_failed() -> None:
    """It must not fail when it is needed."""
    verified = _analyze("verify", "--man=no", checkout.ROOT / "examples/alerts/mail-sender-failed.service")
    assert (verified.returncode, verified.stdout, verified.stderr) == (0, "", "")


def test_the_unit_stops_later_than_the_sender_does_by_itself() -> None:
    """Else systemd would cut off a mail that the grace period lets end."""
    settings = dict(line.split("=", 1) for line in UNIT.read_text().splitlines() if "=" in line and line[0] != "#")
    assert int(settings["TimeoutStopSec"]) > 8
    assert settings["ExecStart"].endswith("/mail-sender run")
    assert settings["LimitCORE"] == "0", "a core dump would hold secrets and links"
    assert settings["ExecReload"] == "/bin/kill -HUP $MAINPID"


def _analyze(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = ["systemd-analyze", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
