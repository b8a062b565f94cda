"""The examples of alerts: each configuration loads, and each script does what it says."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.repo import checkout
from tests.support.config_files import Files

EXAMPLES = checkout.ROOT / "examples/alerts"
ALERT = {
    f"MAIL_SENDER_ALERT_{name}": f"the {name.lower()}"
    for name in ("STATUS", "KEY", "SEVERITY", "SUMMARY", "ADVICE", "SINCE", "AT", "COUNT", "INSTANCE", "HOST")
}


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.toml")), ids=lambda path: path.stem)
def test_an_example_loads_as_it_is(tmp_path: Path, path: Path) -> None:
    """Appended to a mail-sender config, as its comment says; `format` is that of its name, where it has one."""
    found = Files(tmp_path).load(path.read_text()).alert
    assert (found.url is not None) != bool(found.command)
    assert found.format == (path.stem if found.url else "json")
    assert not found.command or (EXAMPLES / Path(found.command[0].get_secret_value()).name).stat().st_mode & 0o111


def test_the_script_for_sendmail_makes_a_mail(tmp_path: Path) -> None:
    """With the recipient for the server, and what happened and what to do for the reader."""
    sendmail = tmp_path / "sendmail"
    sendmail.write_text(f'#!/bin/sh\necho "$@" > {tmp_path}/arguments; cat > {tmp_path}/mail\n')
    sendmail.chmod(0o700)
    environment = {**os.environ, **ALERT, "SENDMAIL": str(sendmail)}
    subprocess.run([EXAMPLES / "sendmail.sh", "root@localhost"], env=environment, check=True, timeout=10)
    assert (tmp_path / "arguments").read_text() == "-i -- root@localhost\n"
    mail = (tmp_path / "mail").read_text()
    assert mail.startswith("To: root@localhost\nSubject: [the status] mail-sender on the host: the key\n")
    assert "\n\nthe summary\n\nWhat to do: the advice\n" in mail


def test_the_script_to_begin_with_logs_what_happened(tmp_path: Path) -> None:
    """What is over is only a notice."""
    logger = tmp_path / "logger"
    logger.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/log\n')
    logger.chmod(0o700)
    for status in ("firing", "resolved"):
        environment = {**ALERT, "MAIL_SENDER_ALERT_STATUS": status, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
        subprocess.run([EXAMPLES / "notify.sh"], env=environment, check=True, timeout=10)
    assert (tmp_path / "log").read_text().splitlines() == [
        f"-p user.{priority} -t mail-sender-alert -- the key: the summary" for priority in ("err", "notice")
    ]
