"""The rule against running as real root.

A process that reads reset links should own nothing else. Root of a rootless container is not real root: its
user namespace maps uid 0 to somebody else outside, which `/proc/self/uid_map` tells (user_namespaces(7)). Group 0
is fine; OpenShift gives it to everything.
"""

import os
from pathlib import Path

from mail_sender.errors import NotAllowed

_UID_MAP = Path("/proc/self/uid_map")


def refuse_real_root(uid_map: Path = _UID_MAP) -> None:
    """Raise `NotAllowed` where this process is uid or euid 0 and that is root outside, too."""
    if 0 not in {os.getuid(), os.geteuid()} or _outside(uid_map) != 0:
        return
    raise NotAllowed(
        "refusing to run as root: it reads password reset links and needs no right of root's; "
        "run it as a user of its own (in a container: --user 10001), or insist with --skip-root-check"
    )


def _outside(uid_map: Path) -> int:
    """Return the uid that our uid 0 is outside of the user namespace; 0 where nothing says otherwise."""
    try:
        lines = [[int(part) for part in line.split()] for line in uid_map.read_text().splitlines()]
        return next((outside - inside for inside, outside, count in lines if inside <= 0 < inside + count), 0)
    except (OSError, ValueError):
        return 0
