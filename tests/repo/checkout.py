"""What belongs to the repository: the files that git tracks, or would track with the next commit."""

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
