"""The folder DIR: where each file of a stub lies, and how files are written into it.

Every file is replaced in one step, so that a reader or a crash never meets half of one. All of it is for
its owner only: DIR is 0700, and what holds a token or a password is 0600 besides.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

from server_stub.errors import StubError

PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes | str, mode: int = 0o600) -> None:
    """Replace `path` by `content` in one step. Raises OSError, and leaves nothing behind then."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()  # on a full disk half a file would be in the way of all that is smaller
        error.filename = str(path)
        raise


def sweep(folder: Path) -> None:
    """Remove what a kill in the midst of `write_atomically` has left. Raises OSError."""
    for partial in folder.glob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)


@dataclass(frozen=True)
class Directory:
    """DIR and the names of the files in it; all paths are absolute."""

    root: Path

    @classmethod
    def at(cls, root: Path) -> Directory:
        """Return the folder without touching it."""
        return cls(root.absolute())

    @property
    def ca(self) -> Path:
        """The CA certificate, PEM; what clients trust."""
        return self.root / "ca.pem"

    @property
    def tls(self) -> Path:
        """The folder of the CA's key and of the server's certificate and key."""
        return self.root / "tls"

    @property
    def ca_key(self) -> Path:
        """The CA's key, PEM."""
        return self.tls / "ca-key.pem"

    @property
    def server_certificate(self) -> tuple[Path, Path]:
        """The server's certificate and its key, PEM."""
        return self.tls / "server.pem", self.tls / "server-key.pem"

    @property
    def expired_certificate(self) -> tuple[Path, Path]:
        """What the relay shows on a bad day, and its key, PEM; made when it is needed."""
        return self.tls / "expired.pem", self.tls / "expired-key.pem"

    @property
    def client_certificate(self) -> tuple[Path, Path]:
        """What a sender shows to a relay that asks who it is, and its key, PEM."""
        return self.root / "client.pem", self.root / "client-key.pem"

    @property
    def client_config(self) -> Path:
        """A Kanidm client config, TOML."""
        return self.root / "config"

    @property
    def sender_config(self) -> Path:
        """A complete mail-sender config, TOML."""
        return self.root / "mail-sender"

    @property
    def tokens(self) -> Path:
        """The tokens by role, JSON."""
        return self.root / "tokens.json"

    @property
    def ports(self) -> Path:
        """The ports of the last start, JSON."""
        return self.root / "ports.json"

    @property
    def identity(self) -> Path:
        """The keys, accounts, tokens and passwords that were made once, JSON."""
        return self.root / "identity.json"

    @property
    def queue(self) -> Path:
        """The queue, SQLite."""
        return self.root / "queue.sqlite"

    @property
    def mail(self) -> Path:
        """The folder of the mails that the relay accepted."""
        return self.root / "mail"

    @property
    def refusals(self) -> Path:
        """The recipients that the relay refuses, TOML; absent means none."""
        return self.root / "refuse.toml"

    @property
    def destroyed(self) -> Path:
        """The ids of ended sessions and destroyed tokens, one in a line; absent means none."""
        return self.root / "destroyed"

    def prepare(self) -> None:
        """Make the folders. Raises StubError where they cannot be made or written."""
        if not str(self.root).isprintable():
            raise StubError(
                "Configuration files could not name the folder that --dir names: use printable characters."
            )
        try:
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            # Looked at before the mode is changed: a folder that was made read-only is not opened silently.
            if not os.access(self.root, os.W_OK | os.X_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
            # A folder with other things in it is somebody's: its mode is not ours to change.
            if self.identity.exists() or not any(self.root.iterdir()):
                self.root.chmod(0o700)
            for folder in (self.tls, self.mail):
                folder.mkdir(mode=0o700, exist_ok=True)
            for folder in (self.root, self.tls, self.mail):
                sweep(folder)
            write_atomically(self.root / ".writable", "")
            (self.root / ".writable").unlink()
        except OSError as error:
            raise StubError(
                f"Cannot write into the folder {self.root} ({error.strerror}): name another with --dir, "
                f"or give it to the user who runs this (uid {os.geteuid()})."
            ) from error

    def lock(self) -> int:
        """Take DIR for this process until it ends; the kernel gives it back even after kill -9.

        Returns the descriptor that holds the lock. Raises StubError where another stub has it.
        """
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(descriptor)
            raise StubError(
                f"Another server-stub is already running on {self.root}: stop it, or name another folder with --dir."
            ) from error
        return descriptor

    def read_json(self, path: Path) -> dict[str, object]:
        """Return the JSON object in a state file. Raises StubError where it cannot be read as one."""
        try:
            content = json.loads(path.read_text())
        except OSError as error:
            raise StubError(f"Cannot read {path} ({error.strerror}).") from error
        except (ValueError, RecursionError) as error:
            raise corrupt(path, "it is not JSON") from error
        if not isinstance(content, dict):
            raise corrupt(path, "it holds no JSON object")
        return content


def corrupt(path: Path, fault: str) -> StubError:
    """Return the sentence about a state file that is never repaired or replaced silently."""
    return StubError(
        f"The state file {path} is corrupt ({fault}): restore it, or move it away "
        "and a new one is made at the next start."
    )
