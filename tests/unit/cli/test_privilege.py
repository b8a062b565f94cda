"""Real root is refused, root of a user namespace is not."""

import os
from pathlib import Path

import pytest

from mail_sender.cli.privilege import refuse_real_root
from mail_sender.errors import Exit, NotAllowed

REAL = "         0          0 4294967295\n"
ROOTLESS = "         0     100000      65536\n"


def become(monkeypatch: pytest.MonkeyPatch, uid: int, euid: int) -> None:
    """Have the process look like this user's."""
    monkeypatch.setattr(os, "getuid", lambda: uid)
    monkeypatch.setattr(os, "geteuid", lambda: euid)


def refused(monkeypatch: pytest.MonkeyPatch, path: Path, uid: int, euid: int) -> bool:
    """Say whether the process is refused."""
    become(monkeypatch, uid, euid)
    try:
        refuse_real_root(path)
    except NotAllowed:
        return True
    return False


def test_the_refusal_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Exit code 77, and the flag with which one insists."""
    become(monkeypatch, 0, 0)
    with pytest.raises(NotAllowed, match="--skip-root-check") as caught:
        refuse_real_root(tmp_path / "none")
    assert caught.value.exit_code == Exit.NOT_ALLOWED


@pytest.mark.parametrize(("uid", "euid"), [(0, 0), (0, 1000), (1000, 0)])
@pytest.mark.parametrize(
    ("uid_map", "expected"),
    [
        (REAL, True), (ROOTLESS, False), ("1 100000 65536\n0 1000 1\n", False), ("0 0 1\n1 100000 65536\n", True),
        ("garbage here now\n", True), ("0 1000\n", True),
    ],
)  # fmt: skip
def test_root_is_real_where_the_uid_map_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid: int, euid: int, uid_map: str, *, expected: bool
) -> None:
    """Uid or euid 0 is refused where 0 is 0 outside as well, or where the map does not tell."""
    (tmp_path / "uid_map").write_text(uid_map)
    assert refused(monkeypatch, tmp_path / "uid_map", uid, euid) is expected


@pytest.mark.parametrize("uid_map", [REAL, ROOTLESS, ""])
def test_another_user_is_never_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, uid_map: str) -> None:
    """The rule is about uid 0 alone, whatever the group."""
    (tmp_path / "uid_map").write_text(uid_map)
    monkeypatch.setattr(os, "getgid", lambda: 0)
    assert not refused(monkeypatch, tmp_path / "uid_map", 10001, 10001)
