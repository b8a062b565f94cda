"""The mails that the relay accepted, each as two files under `DIR/mail`.

`00000042.eml` holds exactly the bytes that were received, `00000042.json` the facts of the conversation: envelope,
TLS version, client certificate, login, EHLO name, time. The numbers are the order of arrival. The sidecar is written
first and deleted last, so that every mail has its envelope.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from server_stub.folder.files import write_atomically


@dataclass(frozen=True)
class Envelope:
    """What the SMTP conversation said about a mail. `received_at` is RFC 3339, `listener` is `smtps` or `smtp`.

    `client_certificate` is the common name of the certificate that the client showed, empty if it showed none.
    """

    mail_from: str
    rcpt_to: list[str]
    listener: str
    tls_version: str
    login: str
    ehlo: str
    received_at: str
    client_certificate: str = ""


@dataclass(frozen=True)
class Mail:
    """A stored mail: its number, its first bytes, how many bytes it has in all, and its envelope."""

    number: str
    content: bytes
    size: int
    envelope: dict[str, object]


class Mailbox:
    """The folder of mails; one process writes it, and people may put mails into it or take them out."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last = max((int(number) for number in self._numbers() if number.isdecimal()), default=0)
        self._changes = 0

    def store(self, content: bytes, envelope: Envelope) -> str:
        """Keep a mail, and return its number. Raises OSError."""
        self._last += 1
        stem = self._folder / f"{self._last:08}"
        self._folder.mkdir(mode=0o700, exist_ok=True)  # somebody may have cleaned up
        write_atomically(stem.with_suffix(".json"), json.dumps(asdict(envelope), indent=2) + "\n")
        try:
            write_atomically(stem.with_suffix(".eml"), content)
        except OSError:
            stem.with_suffix(".json").unlink()
            raise
        self._changes += 1
        return stem.name

    def version(self) -> tuple[int, int]:
        """Return what changes with each mail that comes or goes, whoever put or took it.

        Two changes may fall into one tick of the folder's clock; the counter tells ours apart all the same.
        """
        try:
            return self._changes, self._folder.stat().st_mtime_ns
        except FileNotFoundError:
            return self._changes, 0

    def latest(self, count: int, length: int) -> tuple[list[Mail], int]:
        """Return the first `length` bytes of up to `count` mails, newest first, and how many mails there are."""
        numbers = sorted(self._numbers(), reverse=True)
        found = (self.read(number, length) for number in numbers[:count])
        return [mail for mail in found if mail], len(numbers)

    def read(self, number: str, length: int) -> Mail | None:
        """Return the first `length` bytes of a mail; None if there is no mail of that number."""
        path = self._path(number)
        try:
            with path.open("rb") as file:
                return Mail(number, file.read(length), path.stat().st_size, _envelope(path))
        except (OSError, ValueError):
            return None

    def delete(self, numbers: Iterable[str]) -> int:
        """Delete these mails and return how many of them there were."""
        return sum(self._delete(self._path(number)) for number in numbers)

    def clear(self) -> int:
        """Delete all mails and return how many there were."""
        return self.delete(self._numbers())

    def _delete(self, path: Path) -> bool:
        try:
            path.unlink()
            path.with_suffix(".json").unlink(missing_ok=True)
        except (FileNotFoundError, ValueError):  # it is gone, or has no name that a file could have
            return False
        except OSError as error:
            if error.errno != errno.ENAMETOOLONG:
                raise
            return False
        self._changes += 1
        return True

    def _numbers(self) -> list[str]:
        return [path.stem for path in self._folder.glob("*.eml")] if self._folder.is_dir() else []

    def _path(self, number: str) -> Path:
        # The name alone: a number may come from an address that somebody typed.
        return self._folder / f"{Path(number).name}.eml"


def _envelope(path: Path) -> dict[str, object]:
    try:
        envelope = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        return {}  # somebody put a mail here by hand
    return envelope if isinstance(envelope, dict) else {}
