"""What a check has found: one line of the report, with what to do about it."""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How good it is; a check that could not be made is skipped, and says why."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"
    SKIPPED = "skipped"


class Topic(StrEnum):
    """What a check is about, in the order of the report."""

    CONFIGURATION = "configuration"
    TEMPLATES = "templates"
    LEDGER = "ledger"
    SERVER = "identity server"
    RELAY = "relay"
    DOMAIN = "From domain"
    EHLO_NAME = "EHLO name"
    CLOCK = "clock"
    RECEIVED = "received mail"

    def ok(self, check: str, seen: str) -> "Finding":
        """Return the finding of a thing that is as it should be."""
        return Finding(self, check, Level.OK, seen)

    def warning(self, check: str, seen: str, advice: str | None) -> "Finding":
        """Return the finding of a thing that works, but may harm mail, now or soon."""
        return Finding(self, check, Level.WARNING, seen, advice)

    def fault(self, check: str, seen: str, advice: str) -> "Finding":
        """Return the finding of a thing that keeps mail from being sent or from arriving."""
        return Finding(self, check, Level.FAULT, seen, advice)

    def skipped(self, check: str, seen: str) -> "Finding":
        """Return the finding of a check that could not be made; `seen` says why."""
        return Finding(self, check, Level.SKIPPED, seen)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    `check` names what was checked, in snake case, and stays the same from version to version: `-o json` shows it.
    `seen` is one line without secrets. `advice` says what to do about a warning or a fault.
    """

    topic: Topic
    check: str
    level: Level
    seen: str
    advice: str | None = None
