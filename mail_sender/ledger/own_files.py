"""The files of a state folder are plain files of its owner: a link leads nowhere, and what is not ours is refused.

Whoever may write into the folder could put a link there, a pipe, a device, or a hard link to a file of somebody else,
and root would then read or write that for them. So each file is looked at where it stands (lstat(2)), and opened
without following a link (O_NOFOLLOW in open(2)). What is swapped after the look is opened as the folder's owner all
the same (`state_folder.StateFolder.as_owner`): it leads only where that owner may go.
"""

import errno
import os
import stat
from pathlib import Path

from mail_sender.errors import Exit, MailSenderError


class ForeignFile(MailSenderError):
    """Something else than a plain file of the folder's owner is in a file's place; the message names it."""

    exit_code = Exit.BAD_CONFIG


def inspect(path: Path, owner: int | None, kind: int = stat.S_IFREG) -> None:
    """Raise `ForeignFile` if something else than a file of that kind and owner is there; it may be missing.

    `kind` is a type of stat.S_IFMT, a plain file or a socket; no `owner` means anybody.
    Raises `OSError` if it cannot be looked at.
    """
    try:
        found = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return
    _judge(path, found, owner, kind)


def opened(path: Path, flags: int, owner: int | None) -> int:
    """Open a plain file of that owner, and return its descriptor; what is made is for its owner only (0600).

    Raises `ForeignFile` as `inspect` does, and `OSError`.
    """
    inspect(path, owner)
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ForeignFile(_refusal(path, "a symbolic link")) from None
        raise
    try:
        _judge(path, os.fstat(descriptor), owner, stat.S_IFREG)
    except ForeignFile:
        os.close(descriptor)
        raise
    return descriptor


def _judge(path: Path, found: os.stat_result, owner: int | None, kind: int) -> None:
    if stat.S_IFMT(found.st_mode) != kind:
        raise ForeignFile(_refusal(path, _KINDS.get(stat.S_IFMT(found.st_mode), "not a plain file")))
    if owner is None:
        return
    if found.st_nlink > 1 and kind == stat.S_IFREG:
        raise ForeignFile(_refusal(path, f"a hard link: this file of uid {found.st_uid} has another name"))
    if found.st_uid != owner:
        cure = f"give it to uid {owner}, or move it away"
        raise ForeignFile(_refusal(path, f"a file of uid {found.st_uid}, and not of uid {owner}", cure))


def _refusal(path: Path, what: str, cure: str = "move it away") -> str:
    return f"{path} is {what}; mail-sender follows no link here, and uses no file of somebody else: {cure}"


_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
    stat.S_IFSOCK: "a socket",
    stat.S_IFREG: "a plain file",
}
