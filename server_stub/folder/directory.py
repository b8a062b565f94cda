"""The folder DIR: where each file of a stub lies.

All of it is for its owner only: DIR is 0700, and what holds a token or a password is 0600 besides.
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from server_stub.errors import StubError
from server_stub.folder.files import sweep, write_atomically


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
        """The certificate that the relay shows where a rule wants an expired one, and its key, PEM."""
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
    def revoked_sessions(self) -> Path:
        """The ids of revoked sessions and tokens, one in a line; absent means none."""
        return self.root / "destroyed"

    def prepare(self) -> None:
        """Make the folders. Raises StubError if they cannot be made or written."""
        if not str(self.root).isprintable():
            raise StubError(
                "The folder in --dir must have a name of printable characters: configuration files contain it."
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
                f"or make it writable for uid {os.geteuid()}."
            ) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep DIR for this process; the kernel gives it back even after kill -9. Raises StubError."""
        descriptor = os.open(self.root / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._lock(descriptor)
            yield
        finally:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> None:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise StubError(
                f"Another server-stub is already running on {self.root}: stop it, or name another folder with --dir."
            ) from error
