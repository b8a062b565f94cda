"""A small file in the state folder that is replaced as a whole: what was alerted, the newest refresh token.

It is the folder's owner's alone, from its first moment (`own_files`). After a crash it is the old one or the new one.
"""

import os
from contextlib import suppress
from pathlib import Path

from mail_sender.ledger import own_files
from mail_sender.ledger.state_folder import StateFolder


def read(state: StateFolder, path: Path, most: int) -> bytes:
    """Return what is in the file, up to so many octets. Raises `OSError`, and `ForeignFile` if it is not ours."""
    with state.as_owner():
        descriptor = own_files.opened(path, os.O_RDONLY, state.files_owner)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(most)


def replace(state: StateFolder, path: Path, content: bytes) -> None:
    """Replace the file. Raises `OSError`, and `ForeignFile` if something foreign is in its place."""
    new = path.with_suffix(".new")
    with state.as_owner():
        own_files.inspect(path, state.files_owner)
        with suppress(FileNotFoundError):
            new.unlink()
        descriptor = own_files.opened(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, state.files_owner)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
