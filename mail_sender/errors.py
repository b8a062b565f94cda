"""What can go wrong before or beside a delivery.

A `MailSenderError` ends the program with an exit code. With a `ServerFault` or a `LedgerFault` the sender keeps
trying; while the ledger is at fault it begins nothing new.

Outside `relay/`, a relay's reply is not an exception but a verdict (`verdict.py`).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from pathlib import Path

from mail_sender.names.characters import visible


class Exit(IntEnum):
    """Exit codes of the program; 75, 77 and 78 are those of sysexits.h."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    NO_SENDER = 3
    TEMPORARY = 75
    NOT_ALLOWED = 77
    BAD_CONFIG = 78


class MailSenderError(Exception):
    """The program cannot go on; the message is a sentence for the person who started it."""

    exit_code = Exit.FAILED


class UsageError(MailSenderError):
    """The command was used wrongly."""

    exit_code = Exit.USAGE


class NotAllowed(MailSenderError):
    """Real root is refused, or this user may not open a file: a configuration, a secret, the ledger."""

    exit_code = Exit.NOT_ALLOWED


LONGEST_KEY = 200
"""Characters of a key that a fault shows: a file may have one as long as itself."""


def shortened(key: str) -> str:
    """Return a key, or a table's name, as a fault shows it."""
    return key if len(key) <= LONGEST_KEY else f"{key[:LONGEST_KEY]}..."


@dataclass(frozen=True, slots=True)
class ConfigFault:
    """One fault of the configuration: where it is, what was found there, and what was expected.

    `key` and `line` (from 1) say where in the file, as far as known; `unreadable` that the file could not be opened.
    `name` is what the key is called at this place, if it is another name: a variable of the environment.
    `found` never holds a secret: whoever makes the fault hides it.
    """

    path: Path
    line: int | None
    key: str
    found: str
    expected: str
    unreadable: bool = False
    name: str = ""

    @property
    def seen(self) -> str:
        """What was found, and where: place, key, what stands there."""
        place = f"{self.path}:{self.line}" if self.line else str(self.path)
        key = self.name or self.key
        subject = f"{shortened(key)}: " if key else ""
        return visible(f"{place}: {subject}{self.found}")

    def __str__(self) -> str:
        """Return one line for a person: place, key, what was found, what was expected."""
        return f"{self.seen}; {visible(self.expected)}"


class ConfigError(MailSenderError):
    """The configuration has faults; its text lists all of them, and the warnings.

    `files` are those that the configuration names, as far as it could be read: one of them may have the fault.
    """

    def __init__(self, faults: list[ConfigFault], warnings: list[str], files: tuple[Path, ...] = ()) -> None:
        self.faults = tuple(faults)
        self.warnings = tuple(warnings)
        self.files = files
        unreadable = any(fault.unreadable for fault in faults)
        self.exit_code = Exit.NOT_ALLOWED if unreadable else Exit.BAD_CONFIG
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        lines = [*(f"  {fault}" for fault in faults), *(f"  {visible(warning)} (a warning)" for warning in warnings)]
        super().__init__("\n".join([f"{count} in the configuration", *lines]))


class ServerFaultKind(StrEnum):
    """What is wrong with the identity server or the token; the name is in the log and in `queue list`."""

    UNREACHABLE = "server_unreachable"
    UNTRUSTED = "server_untrusted"
    NOT_KANIDM = "server_not_kanidm"
    OVERLOADED = "server_overloaded"
    ERROR = "server_error"
    TOKEN_REFUSED = "token_refused"  # noqa: S105 - an event's name, not a token
    TOKEN_READ_ONLY = "token_read_only"  # noqa: S105 - as above
    NOT_A_SENDER = "token_without_group"

    @property
    def is_of_the_token(self) -> bool:
        """Whether the token is at fault: then nothing may be mailed, since it could not be marked."""
        return self in {self.TOKEN_REFUSED, self.TOKEN_READ_ONLY, self.NOT_A_SENDER}


class LedgerFault(Exception):
    """The ledger could not be read or written; `kind` is mostly SQLite's name for it, `advice` says what to do."""

    def __init__(self, kind: str, detail: str, advice: str) -> None:
        super().__init__(f"{detail}; {advice}")
        self.kind, self.detail, self.advice = kind, detail, advice


class ServerFault(Exception):
    """The identity server did not do what was asked.

    `kind` and `detail` say what happened, `advice` what to do; `retry_after` is for how many seconds the server asked
    to be left alone (RFC 9110, section 10.2.3), if it did.
    """

    def __init__(self, kind: ServerFaultKind, detail: str, advice: str, retry_after: float | None = None) -> None:
        super().__init__(f"{detail}; {advice}")
        self.kind, self.detail, self.advice, self.retry_after = kind, detail, advice, retry_after


class MessageGone(Exception):
    """The server does not know the message (any more), or does not show it to this token.

    One replica's word: the message may be on another one.
    """


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield the exception and everything that caused it, in groups too: libraries wrap the network's errors."""
    while error is not None:
        yield error
        if isinstance(error, BaseExceptionGroup):
            for member in error.exceptions:
                yield from causes(member)
        error = error.__cause__ or error.__context__
