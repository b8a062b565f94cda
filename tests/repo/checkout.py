"""What belongs to the repository: the files that git tracks, or would track with the next commit."""

import os
import subprocess
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]


@cache
def files() -> list[Path]:
    """All of them, relative to ROOT."""
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return sorted(Path(name) for name in listed.split("\0") if name and (ROOT / name).exists())


def modules() -> list[Path]:
    """The Python files among them."""
    return [file for file in files() if file.suffix == ".py"]


def make(target: str) -> subprocess.CompletedProcess[str]:
    """Run a target of make as a developer does: the flags and the job server of a make above are not for it."""
    env = {name: value for name, value in os.environ.items() if name not in {"MAKEFLAGS", "MFLAGS", "MAKELEVEL"}}
    return subprocess.run(["make", target], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
