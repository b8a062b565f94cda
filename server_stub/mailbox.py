"""The mails that the relay accepted, each as two files under `DIR/mail`.

`00000042.eml` holds exactly the bytes that were received, `00000042.json` what only the conversation knew: envelope,
TLS version, login, EHLO name, time. The numbers are the order of arrival. The sidecar is written first, so that
whoever sees a mail also finds its envelope.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from server_stub.directory import write_atomically


@dataclass(frozen=True)
class Envelope:
    """What the SMTP conversation said about a mail. `received_at` is RFC 3339, `listener` is `smtps` or `smtp`."""

    mail_from: str
    rcpt_to: list[str]
    listener: str
    tls_version: str
    login: str
    ehlo: str
    received_at: str


@dataclass(frozen=True)
class Mail:
    """A stored mail: its number, its bytes and its envelope."""

    number: str
    content: bytes
    envelope: dict[str, object]


class Mailbox:
    """The folder of mails; one process writes it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        stems = (path.stem for path in folder.iterdir())
        self._last = max((int(stem) for stem in stems if stem.isdecimal()), default=0)

    def store(self, content: bytes, envelope: Envelope) -> None:
        """Keep a mail. Raises OSError."""
        self._last += 1
        stem = self._folder / f"{self._last:08}"
        write_atomically(stem.with_suffix(".json"), json.dumps(asdict(envelope), indent=2) + "\n")
        write_atomically(stem.with_suffix(".eml"), content)

    def latest(self, count: int) -> tuple[list[Mail], int]:
        """Return up to `count` mails, newest first, and how many there are in all."""
        paths = sorted(self._folder.glob("*.eml"), reverse=True)
        return [_read(path) for path in paths[:count]], len(paths)


def _read(path: Path) -> Mail:
    try:
        envelope = json.loads(path.with_suffix(".json").read_text())
    except (OSError, ValueError):
        envelope = {}  # somebody put a mail here by hand
    return Mail(path.stem, path.read_bytes(), envelope)
