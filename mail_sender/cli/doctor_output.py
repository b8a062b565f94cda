"""What `doctor` prints: a line for each finding as soon as it is there, or one JSON object at the end."""

import json
import os
import sys
from collections import Counter
from collections.abc import Container
from contextlib import aclosing
from pathlib import Path
from typing import Any

import typer

from mail_sender import lifecycle, log
from mail_sender.cli.debug_level import wants_debug
from mail_sender.cli.template_text import count
from mail_sender.cli.terminal import Form, styled
from mail_sender.config import subject as configuration
from mail_sender.doctor.checks import CHECKS
from mail_sender.doctor.examination import Table, examine
from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.received import check as received
from mail_sender.doctor.subject import Subject
from mail_sender.errors import Exit, UsageError

VERSION = 1
"""The version of the JSON (docs/doctor.md): a new key does not change it."""

_STYLES: dict[Level, dict[str, Any]] = {
    Level.OK: {"fg": "green"},
    Level.WARNING: {"fg": "yellow"},
    Level.FAULT: {"fg": "red", "bold": True},
    Level.SKIPPED: {"dim": True},
}
_WIDTH = max(map(len, Level)) + 2


def print_report(files: tuple[Path, Path], form: Form, topics: Container[str], *, debug: bool) -> Exit:
    """Examine some topics of the configuration in these files, print what is found, and return the exit code."""
    subject = configuration.read(*files)
    secrets = subject.reading.secrets
    log.configure(debug=debug or wants_debug(os.environ), form="text", secrets=secrets, quiet=True)
    report = Report(form, log.Redactor(secrets))
    checks = {topic: some for topic, some in CHECKS.items() if topic.name.lower() in topics}
    lifecycle.run_once(_examined(checks, subject, report))
    return report.end()


def print_received(mail: Path, files: tuple[Path, Path], form: Form) -> Exit:
    """Judge a mail that arrived (`-` is standard input), print what is found, and return the exit code.

    The configuration counts as far as it can be read: the From address, and whose results are believed.
    """
    octets = _octets(mail)
    subject = configuration.read(*files)
    report = Report(form, log.Redactor(subject.reading.secrets))
    from_address = subject.mail.from_address if subject.mail else None
    for finding in received.findings(octets, from_address, subject.doctor.trusted_authserv_id):
        report.add(finding)
    return report.end()


def _octets(mail: Path) -> bytes:
    """Return as much of a file as is worth reading."""
    try:
        if str(mail) == "-":
            standard = getattr(sys.stdin, "buffer", None)  # there is none where it was closed
            return standard.read(received.MOST_OCTETS) if standard else b""
        with mail.open("rb") as file:
            return file.read(received.MOST_OCTETS)
    except OSError as error:
        raise UsageError(f"--received: {mail} cannot be read: {error.strerror}") from None


async def _examined(checks: Table, subject: Subject, report: "Report") -> None:
    async with aclosing(examine(checks, subject)) as findings:
        async for finding in findings:
            report.add(finding)


class Report:
    """The findings, as they are printed; `has_headings` says whether each topic begins with its name."""

    def __init__(self, form: Form, redactor: log.Redactor, *, has_headings: bool = True) -> None:
        self._form, self._has_headings = form, has_headings
        self._clean = redactor.text
        self._findings: list[dict[str, str | None]] = []
        self._counts = Counter[Level]()
        self._topic: Topic | None = None

    def add(self, finding: Finding) -> None:
        """Take in a finding; print it, if text is wanted."""
        self._counts[finding.level] += 1
        seen, advice = self._line(finding.seen), self._line(finding.advice or "")
        shown = {"topic": finding.topic.name.lower(), "check": finding.check, "level": finding.level.value}
        self._findings.append({**shown, "seen": seen, "advice": advice or None})
        if self._form == "text":
            if finding.topic is not self._topic and self._has_headings:
                self._topic = finding.topic
                typer.echo(styled(finding.topic.value, bold=True))
            style = _STYLES[finding.level]
            typer.echo(f"  {styled(f'{finding.level.value:{_WIDTH}}', **style)}{seen}")
            if advice:
                typer.echo(f"  {'':{_WIDTH}}{styled(f'what to do: {advice}', **style)}")

    def end(self) -> Exit:
        """Print what all of it comes to, and return the exit code."""
        code = Exit.FAILED if self._counts[Level.FAULT] else Exit.DONE
        if self._form == "json":
            counts = {level.value: self._counts[level] for level in Level}
            found = {"version": VERSION, "exit": code.value, "counts": counts, "findings": self._findings}
            typer.echo(json.dumps(found))
        else:
            bad = f"{count(self._counts[Level.FAULT], 'fault')}, {count(self._counts[Level.WARNING], 'warning')}"
            rest = f"{self._counts[Level.OK]} ok, {self._counts[Level.SKIPPED]} skipped"
            typer.echo(styled(f"{bad}, {rest}", bold=True))
        return code

    def _line(self, text: str) -> str:
        return log.printable(self._clean(text))
