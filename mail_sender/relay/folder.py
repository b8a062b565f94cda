"""A folder as a transport: each mail becomes a file, and goes no further.

It takes the relay's place in a dry run. A file is named after its mail's Message-ID, and is for its owner alone
(0600). It is written under another name first and renamed where the final dot would go out, so that a reader only
ever sees whole mails. If a mail cannot be written, the folder is at fault, never the mail.
"""

import os
import re
import tempfile
from pathlib import Path

from mail_sender.mail.mail import Mail
from mail_sender.relay.transport import BeforeDot, require_in_time
from mail_sender.verdict import Accepted, RelayDown, Reply, Stage, Verdict

_LONGEST_NAME = 200  # characters before the suffix; most file systems take 255 octets


class FolderTransport:
    """A folder, made (0700) where it is missing but the one above it is there."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def send(self, mail: Mail, before_dot: BeforeDot) -> Verdict:
        """Write the mail, and say where; one of the same Message-ID is replaced."""
        target = self._path / file_name(mail.message_id)
        try:
            partial = _written(self._path, mail.content)
        except OSError as error:
            return self._refusal(error)
        try:
            require_in_time(await before_dot())
            return self._named(partial, target)
        finally:
            partial.unlink(missing_ok=True)

    async def close(self) -> None:
        """Do nothing: a folder holds no connection."""

    def _named(self, partial: Path, target: Path) -> Verdict:
        try:
            partial.replace(target)
        except OSError as error:
            return self._refusal(error)
        return Accepted(Reply(250, f"written, not sent: {target}"), is_written=True)

    def _refusal(self, error: OSError) -> RelayDown:
        detail = f"the folder {self._path} cannot be written ({(error.strerror or 'it fails').lower()})"
        return RelayDown(Stage.CONNECT, detail, "free space, make it writable, or name another", lasting=False)


def problem(path: Path) -> str | None:
    """Return why mails cannot be written into a folder, None if they can; a missing one can be made in a folder."""
    try:
        if path.is_symlink() and not path.exists():
            return f"{path} is a link that leads nowhere"
        found = path if path.exists() else path.parent
        if not found.exists():
            return f"the folder {found} is not there"
        if not found.is_dir():
            return f"{found} is not a folder"
        return None if os.access(found, os.W_OK | os.X_OK) else f"the folder {found} cannot be written"
    except OSError as error:
        return f"{path} cannot be used ({(error.strerror or 'it fails').lower()})"


def file_name(message_id: str) -> str:
    """Return the name of a mail's file: its Message-ID without what a file system or shell could mind."""
    bare = re.sub(r"[^A-Za-z0-9@._-]", "_", message_id.strip("<>")).lstrip(".-")
    return f"{bare[:_LONGEST_NAME]}.eml"


def _written(folder: Path, content: bytes) -> Path:
    """Write a new file (0600) and return its path. Raises `OSError`; then no file is left."""
    folder.mkdir(mode=0o700, exist_ok=True)
    with tempfile.NamedTemporaryFile("wb", prefix=".", suffix=".partial", dir=folder, delete=False) as file:
        try:
            file.write(content)
            file.flush()
        except OSError:
            Path(file.name).unlink(missing_ok=True)
            raise
    return Path(file.name)
