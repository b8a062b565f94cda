"""A folder of files as an operator keeps it, without what others keep in it for themselves.

Left out, with all that is in them, are names that begin with a dot (git's, an editor's, the folders in which
Kubernetes keeps the files of a mount) and those that end in a tilde. Links are followed, also those to folders, as
such a mount has them.
"""

import os
from collections.abc import Iterator
from pathlib import Path


def entries(folder: Path) -> list[Path]:
    """Return all files and folders below a folder, sorted.

    Raises OSError where the folder, or one in it, cannot be read.
    """
    return sorted(_entries(folder, frozenset()))


def names(folder: Path) -> list[str]:
    """Return the names of what lies in a folder itself, sorted. Raises OSError."""
    return sorted(path.name for path in folder.iterdir() if not _is_left_out(path.name))


def _entries(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link to where it stands itself
        return
    for name in names(folder):
        path = folder / name
        yield path
        if path.is_dir():
            yield from _entries(path, above | {real})


def _is_left_out(name: str) -> bool:
    return name.startswith(".") or name.endswith("~")
