"""The rule against running as real root.

A process that reads password reset links should be able to do nothing else. Root of a rootless container is not real
root: its user namespace maps uid 0 to another user outside, as `/proc/self/uid_map` shows (user_namespaces(7)).
Group 0 is fine: OpenShift gives it to every process.
"""

import os
from pathlib import Path

from mail_sender.errors import NotAllowed

_UID_MAP = Path("/proc/self/uid_map")


def refuse_real_root(uid_map: Path = _UID_MAP) -> None:
    """Raise `NotAllowed` where this process has uid or euid 0, and that is root outside its namespace as well."""
    if 0 not in {os.getuid(), os.geteuid()} or _outside(uid_map) != 0:
        return
    raise NotAllowed(
        "refusing to run as root: mail-sender reads password reset links and does not need root's rights; "
        "run it as its own user (in a container: --user 10001), or use --skip-root-check"
    )


def _outside(uid_map: Path) -> int:
    """Return which uid our uid 0 is outside the user namespace; 0 if that cannot be read."""
    try:
        lines = [[int(part) for part in line.split()] for line in uid_map.read_text().splitlines()]
        return next((outside - inside for inside, outside, count in lines if inside <= 0 < inside + count), 0)
    except (OSError, ValueError):
        return 0
