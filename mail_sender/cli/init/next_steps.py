"""The commands for what comes after `init`: a test mail, and the sender itself."""

import os
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from mail_sender.cli import default_paths
from mail_sender.cli.init.owner import Owner


def commands(client_path: Path, sender_path: Path, owner: Owner) -> Iterator[tuple[str, str]]:
    """Yield what each command does, and the command."""
    root = ["-s"] if owner.uid == 0 else []
    words = [*_as(owner), _program(), *root, *_files(client_path, sender_path)]
    yield "Send a test mail:", shlex.join([*words, "-t", "you@example.com"])
    yield "Run the sender (docs/running.md has a unit for systemd):", shlex.join(words)


def _as(owner: Owner) -> list[str]:
    if owner.uid == os.geteuid():
        return []
    if owner.name.isdecimal():
        return ["setpriv", f"--reuid={owner.uid}", f"--regid={owner.gid}", "--clear-groups"]
    return ["runuser", "-u", owner.name, "--"]


def _program() -> str:
    """Return how to call this program: by its name, if that finds it."""
    ours, found = Path(sys.argv[0]).absolute(), shutil.which("mail-sender")
    return "mail-sender" if not ours.exists() or (found and Path(found).samefile(ours)) else str(ours)


def _files(client_path: Path, sender_path: Path) -> Iterator[str]:
    """Yield the options for files that are not found without: in the image, variables name them."""
    for option, path, variable, default in (
        ("-c", client_path, default_paths.CLIENT_CONFIG_VARIABLE, default_paths.CLIENT_CONFIG),
        ("-m", sender_path, default_paths.SENDER_CONFIG_VARIABLE, default_paths.SENDER_CONFIG),
    ):
        if path != Path(os.environ.get(variable) or default):
            yield from (option, str(path.absolute()))
