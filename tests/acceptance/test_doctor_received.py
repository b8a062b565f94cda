"""`doctor --received`: a mail that arrived, from a file or standard input, judged by the installed program."""

import io
import json
import sys
from pathlib import Path

import pytest

from mail_sender.cli import doctor_output
from mail_sender.errors import UsageError
from tests.support import configs
from tests.support.sender import run

RESULTS = (
    "Authentication-Results: {}; spf=pass smtp.mailfrom=idm@example.com; dkim={} header.d=example.com header.s=s1"
)
MAIL = "{}\r\nFrom: Example <idm@example.com>\r\nMessage-ID: <x@relay.zz>\r\n\r\nhttps://idm.example.com/reset?token=secret\r\n"


def saved(folder: Path, *results: str) -> Path:
    """Write a mail with these results, the topmost first."""
    path = folder / "arrived.eml"
    path.write_bytes(MAIL.format("\r\n".join(results)).encode())
    return path


def test_the_program_judges_a_mail_with_and_without_a_configuration(tmp_path: Path) -> None:
    """It exits with 0 if the mailbox was content, with 1 if not; the configuration is not needed."""
    mail = saved(tmp_path, RESULTS.format("mx.zz", "pass"))
    found = run("doctor", "--received", mail)
    assert (found.returncode, found.stderr) == (0, "")
    assert "ok       DKIM passes for example.com (selector s1), which aligns with From\n" in found.stdout
    assert "secret" not in found.stdout
    assert found.stdout.endswith("0 faults, 0 warnings, 5 ok, 0 skipped\n")

    sender = configs.sender(tmp_path, doctor={"trusted_authserv_id": "mx.zz"}, mail_from_address="other@example.com")
    saved(tmp_path, "X-Spam-Flag: YES", RESULTS.format("evil.zz", "pass"), RESULTS.format("mx.zz", "fail"))
    found = run("-c", configs.client(tmp_path), "-m", sender, "doctor", "--received", mail, "-o", "json")
    judged = json.loads(found.stdout)
    assert (found.returncode, judged["exit"], judged["counts"]["fault"]) == (1, 1, 1)
    assert [(one["topic"], one["check"], one["level"]) for one in judged["findings"]] == [
        ("received", "mail", "warning"),
        ("received", "authentication_results", "ok"),
        ("received", "spf", "ok"),
        ("received", "dkim", "warning"),
        ("received", "dmarc", "ok"),
        ("received", "spam", "fault"),
    ]


def test_a_mail_comes_from_standard_input(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`-` stands for it; where it is closed or empty, a sentence says so, and of ten megabytes not all is read."""
    nowhere = tmp_path / "config", tmp_path / "mail-sender"
    read = io.BytesIO(MAIL.format(RESULTS.format("mx.zz", "fail")).encode() + bytes(10_000_000))
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(read))
    assert doctor_output.print_received(Path("-"), nowhere, "text") == 0
    assert "warning  the DKIM signature by the key s1._domainkey.example.com fails (fail)" in capsys.readouterr().out
    assert read.tell() < 2_000_000

    for closed in (None, io.TextIOWrapper(io.BytesIO())):
        monkeypatch.setattr(sys, "stdin", closed)
        assert doctor_output.print_received(Path("-"), nowhere, "text") == 1
        assert "fault    the file is empty" in capsys.readouterr().out


def test_the_page_shows_real_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What docs/doctor.md shows of a bad mail is what the program prints of it."""
    results = (
        "Authentication-Results: mx.google.com; spf=softfail smtp.mailfrom=idm@example.com;"
        " dkim=pass header.d=relay.example.net; dmarc=fail header.from=example.com"
    )
    mail = saved(tmp_path, results, "Received-SPF: softfail client-ip=192.0.2.7;")
    ours = b"<0b0dba1c-4f2c-4c1e-9f0e-1d3a5b7c9e11@example.com>"
    mail.write_bytes(mail.read_bytes().replace(b"<x@relay.zz>", ours))
    doctor_output.print_received(mail, (configs.client(tmp_path), configs.sender(tmp_path)), "text")
    shown = capsys.readouterr().out
    assert shown in (Path(__file__).parents[2] / "docs/doctor.md").read_text()


def test_what_cannot_be_read_is_no_mail(tmp_path: Path) -> None:
    """It is a wrong use, said in one sentence."""
    with pytest.raises(UsageError, match=r"gone\.eml cannot be read: No such file or directory$"):
        doctor_output.print_received(tmp_path / "gone.eml", (tmp_path, tmp_path), "text")
    with pytest.raises(UsageError, match=r"cannot be read: Is a directory$"):
        doctor_output.print_received(tmp_path, (tmp_path, tmp_path), "text")
