"""Writes files all at once, or none: each is complete before any of them gets its name.

1. Every file is written beside its place, under a name of its own, for its owner alone, and synced.
2. Then they get their names, one right after the other. If one cannot, those before it lose theirs again.
3. A file that is there already is never replaced, unless that is wanted; then a copy of it is kept.

Whoever writes files does so within `undisturbed`: Ctrl-C then finds all of them, or none.
"""

import errno
import os
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mail_sender.errors import MailSenderError

_SIGNALS = (signal.SIGINT, signal.SIGTERM)

Rights = tuple[int, int, int]
"""Owner, group and mode."""


class CannotWrite(MailSenderError):
    """A file could not be written, and nothing has changed; the message says which, why, and what to do."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file to be written."""

    path: Path
    text: str
    rights: Rights


@contextmanager
def undisturbed() -> Iterator[None]:
    """Have Ctrl-C and SIGTERM wait for as long as this lasts.

    Handlers keep them, not a mask of signals: another thread would take what this one does not.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # no other thread gets signals
        return
    waiting: list[int] = []
    before = {number: signal.signal(number, lambda number, _: waiting.append(number)) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)
    for first in waiting[:1]:
        signal.raise_signal(first)


def require_writable(files: Sequence[NewFile]) -> None:
    """See that files can be made where these belong, before anybody is asked anything. Raises `CannotWrite`."""
    for file in files:
        folder = file.path.parent
        reason = 0 if folder.is_dir() else errno.ENOENT
        if not reason and not os.access(folder, os.W_OK | os.X_OK, effective_ids=True):
            reason = errno.EACCES
        if reason:
            raise _cannot(file.path, OSError(reason, os.strerror(reason)))


def write(files: Sequence[NewFile], now: datetime, *, replaces: bool) -> list[Path]:
    """Write the files; return where those are kept that were there before. Raises `CannotWrite`."""
    with ExitStack() as temporary:
        copies = _copies(files, now, temporary) if replaces else {}
        ready = {file.path: _written(file.path, file.text.encode(), file.rights, temporary) for file in files}
        with ExitStack() as undone:
            for beside, name in copies.values():
                _name(beside, name)
                undone.callback(_remove, name)
            for path, beside in ready.items():
                _name(beside, path, replaces=replaces)
                undone.callback(_put_back, path, copies.get(path))
            _sync({file.path.parent for file in files})
            undone.pop_all()
    return [name for _, name in copies.values()]


def _copies(files: Sequence[NewFile], now: datetime, temporary: ExitStack) -> dict[Path, tuple[Path, Path]]:
    """Copy what will be replaced; return for each such file where its copy is, and the name that it will have."""
    made = {}
    for file in files:
        try:
            found, octets = file.path.stat(), file.path.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise _cannot(file.path, error) from None
        name = file.path.with_name(f"{file.path.name}.bak-{now:%Y%m%dT%H%M%SZ}")
        rights = found.st_uid, found.st_gid, found.st_mode & 0o7777
        made[file.path] = _written(name, octets, rights, temporary), name
    return made


def _written(path: Path, octets: bytes, rights: Rights, temporary: ExitStack) -> Path:
    """Write a file beside its place, and return where; it is removed at the end, unless it was renamed."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.new")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    owner, group, mode = rights
    try:
        descriptor = os.open(beside, flags, 0o600)
        temporary.callback(_remove, beside)
        with os.fdopen(descriptor, "wb") as file:
            file.write(octets)
            file.flush()
            if (owner, group) != (os.geteuid(), os.getegid()):
                os.fchown(file.fileno(), owner, group)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except OSError as error:
        raise _cannot(path, error) from None
    return beside


def _name(beside: Path, path: Path, *, replaces: bool = False) -> None:
    try:
        if replaces:
            beside.replace(path)
        else:
            path.hardlink_to(beside)  # fails if somebody has made such a file by now
    except OSError as error:
        raise _cannot(path, error) from None


def _put_back(path: Path, copy: tuple[Path, Path] | None) -> None:
    if copy is None:
        _remove(path)
        return
    with suppress(OSError):
        copy[1].replace(path)


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink(missing_ok=True)


def _sync(folders: set[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # some file systems cannot
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def _cannot(path: Path, error: OSError) -> CannotWrite:
    cure = "mend that, and try again"
    if isinstance(error, FileNotFoundError):
        cure = f"make the folder {path.parent} first"
    elif isinstance(error, FileExistsError):
        cure = "somebody has just made it: look into it, and use --force to replace it"
    elif isinstance(error, PermissionError):
        cure = f"run this as a user who may write into {path.parent}, or name other files with -c and -m"
    why = (error.strerror or "unknown error").lower()
    return CannotWrite(f"{path} cannot be written ({why}), and nothing was changed; {cure}")
