"""The report of `doctor`: coloured on a terminal alone, one line for each finding, and no control characters."""

import io
import json
import sys

import pytest

from mail_sender import log
from mail_sender.cli.doctor_output import Report
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.errors import Exit
from mail_sender.names.secret import Secret

FINDINGS = (
    Topic.RELAY.ok("relay_name", "relay.example is 192.0.2.1"),
    Topic.RELAY.fault("relay_login", "535 \x1b[2Jsecret-word\nno", "check mail_password"),
    Topic.CLOCK.skipped("clock", "no time"),
)


class Terminal(io.StringIO):
    """An output that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def printed(
    monkeypatch: pytest.MonkeyPatch, out: io.StringIO, form: str = "text", findings: tuple[Finding, ...] = FINDINGS
) -> tuple[Exit, str]:
    monkeypatch.setattr(sys, "stdout", out)
    report = Report("json" if form == "json" else "text", log.Redactor([Secret("secret-word")]))
    for finding in findings:
        report.add(finding)
    return report.end(), out.getvalue()


def test_a_report_has_a_line_for_each_finding_and_one_for_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a relay says is shown, not obeyed; what is secret is not shown."""
    code, text = printed(monkeypatch, io.StringIO())
    assert code is Exit.FAILED
    assert text.splitlines() == [
        "relay",
        "  ok       relay.example is 192.0.2.1",
        r"  fault    535 \x1b[2J***\nno",
        "           what to do: check mail_password",
        "clock",
        "  skipped  no time",
        "1 fault, 0 warnings, 1 ok, 1 skipped",
    ]


def test_colours_are_for_terminals_that_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_COLOR switches them off (no-color.org)."""
    monkeypatch.delenv("NO_COLOR", raising=False)
    assert "\x1b[31m" in printed(monkeypatch, Terminal())[1]
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b" not in printed(monkeypatch, Terminal())[1]


def test_json_is_one_object_with_all_findings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its version and keys are those of docs/doctor.md; without a fault the exit code is 0."""
    code, text = printed(monkeypatch, io.StringIO(), "json", FINDINGS[::2])
    assert code is Exit.DONE
    assert json.loads(text) == {
        "version": 1,
        "exit": 0,
        "counts": {"ok": 1, "warning": 0, "fault": 0, "skipped": 1},
        "findings": [
            {
                "topic": "relay",
                "check": "relay_name",
                "level": "ok",
                "seen": "relay.example is 192.0.2.1",
                "advice": None,
            },
            {"topic": "clock", "check": "clock", "level": "skipped", "seen": "no time", "advice": None},
        ],
    }
