"""Tries an answer out as soon as it is there, by the doctor's own checks, and shows what they find.

A check looks at the draft of the configuration. What was shown once is not shown again.
"""

from collections.abc import Callable, Iterable
from contextlib import aclosing
from dataclasses import replace

from mail_sender import lifecycle, log
from mail_sender.cli.doctor_output import Report
from mail_sender.doctor.checks import CHECKS
from mail_sender.doctor.examination import examine
from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.subject import Subject


class Checks:
    """What was found so far; `begin` is called before something is shown."""

    def __init__(self, begin: Callable[[], None], *, debug: bool) -> None:
        self._begin = begin
        self._shown: set[str] = set()
        self._debug = debug

    def faults(self, topic: Topic, subject: Subject, without: Iterable[str] = ()) -> list[Finding]:
        """Make a topic's checks, show what is new, and return the faults; keys in `without` are not there yet."""
        reading = replace(subject.reading, faulty=subject.reading.faulty | set(without))
        secrets = reading.secrets
        log.configure(debug=self._debug, form="text", secrets=secrets, quiet=True)
        report = Report("text", log.Redactor(secrets), has_headings=False)
        return lifecycle.run_once(self._found(topic, replace(subject, reading=reading), report))

    async def _found(self, topic: Topic, subject: Subject, report: Report) -> list[Finding]:
        faults = []
        async with aclosing(examine({topic: CHECKS[topic]}, subject)) as findings:
            async for finding in findings:
                if finding.level is Level.FAULT:
                    faults.append(finding)
                elif finding.level is Level.SKIPPED or finding.seen in self._shown:
                    continue
                self._shown.add(finding.seen)
                self._begin()
                report.add(finding)
        return faults
