"""One alert: what a receiver is sent. It holds no secret and no whole mail address."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal

VERSION = 1
"""Of the JSON; it changes when a field changes its meaning or goes, and stays when one is added."""


class Severity(StrEnum):
    """How urgent it is: mail stands still, somebody should look soon, or nothing has to be done."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"


@dataclass(frozen=True, slots=True)
class Alert:
    """A cause that began or goes on (`firing`), or is over (`resolved`).

    `key` names the cause and stays the same, `since` is when it began, `at` when this was written, `count` how many
    deliveries it concerns, where that means something.
    """

    key: str
    status: Literal["firing", "resolved"]
    severity: Severity
    since: datetime
    at: datetime
    summary: str
    advice: str
    count: int | None = None


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose alert it is: the instance's URL, and the machine's name."""

    instance: str
    host: str


def fields(alert: Alert, origin: Origin) -> dict[str, object]:
    """Return the alert as JSON has it (docs/alerts.md)."""
    return {
        "version": VERSION,
        "status": alert.status,
        "key": alert.key,
        "severity": alert.severity.value,
        "summary": alert.summary,
        "advice": alert.advice,
        "since": alert.since.isoformat(timespec="seconds"),
        "at": alert.at.isoformat(timespec="seconds"),
        "count": alert.count,
        "instance": origin.instance,
        "host": origin.host,
    }
