"""The state folder: where the ledger lies, who may open it, and whose its files are.

    ledger.db       the ledger, mode 0600 from its first moment; SQLite gives -wal and -shm the same mode
    ledger.lock     says which process has the ledger open for writing (`lock`)
    alerts.json     what was alerted (`observe.alerts.memory`)
    oauth.json      the newest refresh token, where the provider changes it (`relay.oauth.refresh_token`)
    control.sock    where a running sender takes the operator's commands

1. The folder is the configured one, else systemd's, else /var/lib/mail-sender. Only its last part is made: a parent
   that is missing may be a volume that is not mounted.
2. If no folder was named, and the default folder has no ledger and none can be made, the ledger is kept in memory,
   with a warning. Any other fault ends the start: a ledger is never replaced silently.
3. Root works here as the folder's owner (`as_owner`), so that `exec` into a container never leaves a file that the
   sender cannot open. The effective user is changed, rather than the owner of files afterwards: there is no moment in
   which root owns a file, and whatever the owner puts there leads root only where the owner may go.
4. No link in the folder is followed, and no file of somebody else is used (`own_files`).
"""

import errno
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from mail_sender.errors import Exit, LedgerFault, MailSenderError, NotAllowed
from mail_sender.ledger import own_files
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.own_files import ForeignFile
from mail_sender.ledger.sqlite import SqliteLedger

DEFAULT = Path("/var/lib/mail-sender")

_CANNOT_WRITE = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT})
_PASSES = frozenset({"SQLITE_BUSY", "SQLITE_LOCKED"})
_log = structlog.get_logger()


class UnusableLedger(MailSenderError):
    """The state folder or the ledger in it cannot be used as it is."""

    exit_code = Exit.BAD_CONFIG


class NoLedger(MailSenderError):
    """No ledger is there to be looked at."""


class BusyLedger(MailSenderError):
    """Somebody else has the ledger just now."""

    exit_code = Exit.TEMPORARY


@dataclass(frozen=True, slots=True)
class StateFolder:
    """One state folder; `named` says whether somebody chose it."""

    path: Path
    named: bool = True
    _owners: list[tuple[int, int]] = field(default_factory=list, init=False, repr=False, compare=False)

    @property
    def ledger(self) -> Path:
        """The ledger's file."""
        return self.path / "ledger.db"

    @property
    def lock(self) -> Path:
        """The lock's file."""
        return self.path / "ledger.lock"

    @property
    def control(self) -> Path:
        """The control socket."""
        return self.path / "control.sock"

    @property
    def alerts(self) -> Path:
        """The file of what was alerted."""
        return self.path / "alerts.json"

    @property
    def oauth(self) -> Path:
        """The file of the newest refresh token."""
        return self.path / "oauth.json"

    @contextmanager
    def as_owner(self) -> Iterator[None]:
        """Be the folder's owner for as long as this lasts, if we are root; of root's groups none is kept.

        It holds for the whole process, its threads included (seteuid(2) as glibc does it).
        """
        owner = self._owner()
        if os.geteuid() != 0 or owner[0] == 0:
            yield
            return
        group, groups = os.getegid(), os.getgroups()
        try:
            with in_words(self):
                with suppress(PermissionError):  # a user namespace may forbid it
                    os.setgroups([])
                os.setegid(owner[1])
                os.seteuid(owner[0])
            yield
        finally:
            os.seteuid(0)
            os.setegid(group)
            with suppress(PermissionError):
                os.setgroups(groups)

    @property
    def user(self) -> int:
        """The uid as which the files are opened."""
        return os.geteuid() or self._owner()[0]

    @property
    def files_owner(self) -> int | None:
        """The uid whose files root uses here; None if we are not root: then the kernel decides which we may open."""
        return self._owner()[0] if 0 in {os.getuid(), os.geteuid()} else None

    def _owner(self) -> tuple[int, int]:
        """Return uid and gid of the folder; in a folder of root's, which others may write into, of the ledger.

        They are looked at once: what somebody puts in the folder's place later is opened as the same user.
        """
        if not self._owners:
            with suppress(OSError):
                found = self.path.stat()
                with suppress(OSError):
                    ledger = self.ledger.lstat()
                    if found.st_uid == 0 and stat.S_ISREG(ledger.st_mode):
                        found = ledger
                self._owners.append((found.st_uid, found.st_gid))
        return self._owners[0] if self._owners else (0, 0)

    def make(self) -> None:
        """Make the folder and its lock file, where they are missing. Raises `OSError`, `ForeignFile`."""
        try:
            self.path.mkdir(mode=0o700)
        except FileExistsError:
            if not self.path.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, "it is not a folder", str(self.path)) from None
        with self.as_owner():
            self.check()
            os.close(own_files.opened(self.lock, os.O_RDWR | os.O_CREAT, self.files_owner))

    def check(self) -> None:
        """See that the ledger's files and the lock, where they are there, are plain files of the owner.

        Raises `ForeignFile`, and `OSError` if they cannot be looked at.
        """
        beside = [self.ledger.with_name(self.ledger.name + end) for end in ("-wal", "-shm", "-journal")]
        for path in (self.ledger, *beside, self.lock):
            own_files.inspect(path, self.files_owner)

    def make_ledger(self) -> None:
        """Make the ledger's file, empty and for its owner only, where there is none. Raises `UnusableLedger`."""
        with in_words(self), suppress(FileExistsError), self.as_owner():
            os.close(os.open(self.ledger, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))

    def has_ledger(self) -> bool:
        """Say whether a ledger is there, for us to read and write.

        Raises `ForeignFile`, and `OSError` if it is not for us, or if that cannot be told.
        """
        try:
            with self.as_owner():
                self.check()
                os.close(own_files.opened(self.ledger, os.O_RDWR, self.files_owner))
        except (FileNotFoundError, NotADirectoryError):
            return False
        return True


def place(config: LedgerConfig, environment: Mapping[str, str] = os.environ) -> StateFolder:
    """Return the state folder that the configuration, else systemd, else nobody names (systemd.exec(5))."""
    given = environment.get("STATE_DIRECTORY", "").partition(":")[0]
    path = config.path or (Path(given) if given else None)
    return StateFolder(path or DEFAULT, named=path is not None)


def ready(config: LedgerConfig, environment: Mapping[str, str] = os.environ) -> StateFolder | None:
    """Return the state folder, made and writable, or None (with a warning) where the ledger is kept in memory.

    Raises `UnusableLedger`.
    """
    if config.kind == "memory":
        _log.warning("ledger_in_memory", message=f"[ledger] kind is memory: {NOT_PROMISED}")
        return None
    state = place(config, environment)
    try:
        state.make()
    except OSError as error:
        if not may_do_without(state, error):
            raise unusable(state, error) from None
        if config.kind == "postgresql":
            _log.warning("no_state_folder", message=f"{state.path} cannot be written: {NO_FOLDER}")
            return None
        why = f"{state.path} cannot be written ({_reason(error)}), and no other folder is set"
        _log.warning("ledger_in_memory", message=f"{why}: {NOT_PROMISED}; set [ledger] path to a writable folder")
        return None
    return state


def existing(config: LedgerConfig, environment: Mapping[str, str] = os.environ) -> StateFolder:
    """Return the state folder of a ledger that is there, without making anything.

    Raises `NoLedger`, `NotAllowed`, `UnusableLedger`, `ForeignFile`.
    """
    if config.kind == "memory":
        raise NoLedger("the ledger is kept in memory ([ledger] kind): read the sender's log instead")
    state = place(config, environment)
    try:
        if state.has_ledger():
            return state
    except OSError as error:
        raise not_ours(state, error) from None
    hint = "set [ledger] path, or give the sender's config with -m" if not state.named else "check [ledger] path"
    raise NoLedger(f"no ledger is in {state.path}: no sender has worked there; {hint}")


async def open_ledger(state: StateFolder | None, *, reads_only: bool = False) -> SqliteLedger:
    """Open the ledger of a folder whose lock is ours, or one in memory; it is made where there is none.

    One that `reads_only` has to be there, and is not changed. Raises `UnusableLedger`, `BusyLedger`.
    """
    try:
        if state is None:
            return await SqliteLedger.open(None)
        if not reads_only:
            state.make_ledger()
        with in_words(state), state.as_owner():
            state.check()
        return await SqliteLedger.open(state.ledger, state.as_owner, reads_only=reads_only)
    except LedgerFault as fault:
        raise (BusyLedger if fault.kind in _PASSES else UnusableLedger)(str(fault)) from None


def may_do_without(state: StateFolder, error: OSError) -> bool:
    """Say whether the ledger is kept in memory if the folder cannot be used for this reason."""
    try:
        return not state.named and error.errno in _CANNOT_WRITE and not state.has_ledger()
    except OSError:
        return False


@contextmanager
def in_words(state: StateFolder) -> Iterator[None]:
    """Raise what the disk does, and what is not ours there, as `UnusableLedger`."""
    try:
        yield
    except ForeignFile as error:
        raise UnusableLedger(str(error)) from None
    except OSError as error:
        raise unusable(state, error) from None


def unusable(state: StateFolder, error: OSError) -> MailSenderError:
    """Return what ends the start if the folder cannot be used for this reason, with what to do."""
    path = state.path
    if error.errno in {errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF}:  # the last on NFS, for a folder
        return UnusableLedger(f"{path}: files cannot be locked in this folder ({_reason(error)}); use a local disk")
    cure = {
        errno.ENOENT: "create its parent folder, or mount it",
        errno.ENOTDIR: "name a folder in [ledger] path",
        errno.ENOSPC: "free some space on that disk",
        errno.EROFS: "mount it writable, or name another folder in [ledger] path",
    }.get(error.errno or 0, f"make it writable for uid {state.user}, or name another folder in [ledger] path")
    return UnusableLedger(f"the state folder {path} cannot be used ({_reason(error)}); {cure}")


def not_ours(state: StateFolder, error: OSError) -> MailSenderError:
    """Return what keeps this user from a ledger that is there, with what to do."""
    if error.errno not in {errno.EACCES, errno.EPERM} or os.geteuid() == 0:  # root works as the folder's owner
        return unusable(state, error)
    return NotAllowed(
        f"uid {os.geteuid()} may not open the ledger in {state.path}; run this as the sender's user, or as root"
    )


def _reason(error: OSError) -> str:
    return (error.strerror or "unknown error").lower()


NO_FOLDER = (
    "nothing keeps a second process from running beside this one, and `mail-sender queue` does not reach it; "
    "set [ledger] path to a writable folder"
)
"""What is missing without a state folder, where the ledger is in a database."""
NOT_PROMISED = (
    "what was sent is forgotten at a stop; a restart may repeat mail, and `mail-sender queue` shows nothing"
)
"""What a ledger in memory does not do."""
