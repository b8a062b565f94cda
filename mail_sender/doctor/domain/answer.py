"""A question for DNS, and its answer: a value also where the look-up failed, so that every check can say why."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto

from mail_sender.names.characters import visible


class Kind(StrEnum):
    """The types of records that the checks ask for."""

    A = "A"
    AAAA = "AAAA"
    MX = "MX"
    NS = "NS"
    TXT = "TXT"


class Outcome(Enum):
    """What became of a question.

    `EMPTY`: the name exists, without such a record. `NO_NAME`: it does not exist (NXDOMAIN). `FAILED`: unknown.
    """

    FOUND = auto()
    EMPTY = auto()
    NO_NAME = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Answer:
    """What DNS says of a name.

    `records` are texts: addresses, `10 mx.example.com`, or the joined strings of a TXT record (RFC 7208, section
    3.3). `alias` is the name to which CNAMEs led, if it is another one. `reason` says why a look-up failed.
    """

    outcome: Outcome
    records: tuple[str, ...] = ()
    alias: str | None = None
    reason: str = ""

    @property
    def is_void(self) -> bool:
        """Whether DNS says that there is nothing, as RFC 7208 counts it (section 4.6.4)."""
        return self.outcome in {Outcome.EMPTY, Outcome.NO_NAME}

    @property
    def failed(self) -> bool:
        """Whether it is not known what stands there."""
        return self.outcome is Outcome.FAILED


Ask = Callable[[str, Kind], Awaitable[Answer]]
"""Asks DNS for the records of a name (ASCII, without the dot at the end); it never raises for what DNS says."""


def mx_hosts(answer: Answer) -> list[str]:
    """Return the hosts that MX records name, the preferred ones first; `.` is the null MX (RFC 7505)."""
    parted = (record.split(maxsplit=1) for record in answer.records)
    return [host for _, host in sorted((int(preference), host) for preference, host in parted)]


def quoted(text: str, most: int = 80) -> str:
    """Return a record, or a part of one, as a report shows it: in quotes, cut, everything visible."""
    return f'"{visible(text if len(text) <= most else text[: most - 3] + "...")}"'
