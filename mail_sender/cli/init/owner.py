"""Who gets the files: the user that runs the sender may read them, and nobody else may read the secrets.

Root writes for another user. A user with a group of its own gets the mail-sender config by that group (0640, owned by
root), so that a sender cannot change its own configuration. Any other user, such as the uid of a container, owns it
(0600). Whoever is not root writes for himself.
"""

import grp
import os
import pwd
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from mail_sender.cli.init.files import Rights
from mail_sender.errors import UsageError

USUAL = "mail-sender"
"""The user of the README and of the systemd unit."""


@dataclass(frozen=True, slots=True)
class Owner:
    """The user that runs the sender. `gid` is its group; `has_own_group` says that nobody else is in it."""

    name: str
    uid: int
    gid: int
    has_own_group: bool = False

    @property
    def of_secrets(self) -> Rights:
        """Owner, group and mode of a file with secrets."""
        if os.geteuid() == 0 and self.has_own_group:
            return 0, self.gid, 0o640
        return self.uid, self.gid, 0o600

    @property
    def of_others(self) -> Rights:
        """Owner, group and mode of a file without secrets."""
        return os.geteuid(), os.getegid(), 0o644


def is_root() -> bool:
    """Say whether we may write files for anybody."""
    return os.geteuid() == 0


def is_known(name: str) -> bool:
    """Say whether there is such a user."""
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def of(name: str | None) -> Owner:
    """Return the user with this name or number, None for ourselves. Raises `UsageError`."""
    uid = os.geteuid()
    if name is None:
        return Owner(str(uid), uid, os.getegid())
    found = _numbered(name) if name.isdecimal() else _named(name)
    if uid not in {0, found.uid}:
        raise UsageError(f"only root can write files for {name}: run this as root, or as {name} without --user")
    return found


def shown(rights: Rights) -> str:
    """Say who owns a file, and its mode."""
    owner, group, mode = rights
    return f"{_name(pwd.getpwuid, owner)}:{_name(grp.getgrgid, group)}, mode {mode:04o}"


def _name(look_up: Callable[[int], Sequence[object]], number: int) -> object:
    try:
        return look_up(number)[0]
    except KeyError:
        return number


def _numbered(text: str) -> Owner:
    if int(text) >= 2**32 - 1:
        raise UsageError(f"--user {text}: no uid is that large")
    return Owner(text, int(text), int(text))


def _named(name: str) -> Owner:
    try:
        user = pwd.getpwnam(name)
        group = grp.getgrgid(user.pw_gid)
    except KeyError:
        cure = f"useradd --system --no-create-home --shell /usr/sbin/nologin {name}"
        raise UsageError(f"there is no user {name!r}; make it ({cure}), or name another one with --user") from None
    is_own = group.gr_name == name and not set(group.gr_mem) - {name}
    return Owner(name, user.pw_uid, user.pw_gid, is_own)
