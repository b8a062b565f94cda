"""Whether a ledger can be written in a state folder, told without writing anything."""

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from mail_sender.ledger.state_folder import StateFolder


@dataclass(frozen=True, slots=True)
class Space:
    """The disk of a folder: octets that are free for us, and whether another file can be made."""

    free: int
    has_inodes: bool


def obstacle(state: StateFolder) -> OSError | None:
    """Return why nothing could be written into the folder, or why it could not be made; None if it could."""
    folder = _nearest(state)
    try:
        if not folder.is_dir():
            missing = errno.ENOTDIR if folder.exists() else errno.ENOENT
            return OSError(missing, os.strerror(missing), str(folder))
        with state.as_owner():
            if os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
                return None
            is_read_only = os.statvfs(folder).f_flag & os.ST_RDONLY
    except OSError as error:
        return error
    reason = errno.EROFS if is_read_only else errno.EACCES
    return OSError(reason, os.strerror(reason), str(folder))


def space(state: StateFolder) -> Space:
    """Return what is free on the disk of the folder, or of the one in which it would be made. Raises `OSError`."""
    found = os.statvfs(_nearest(state))
    return Space(found.f_bavail * found.f_frsize, not found.f_files or found.f_favail > 0)


def _nearest(state: StateFolder) -> Path:
    return state.path if state.path.exists() else state.path.parent
