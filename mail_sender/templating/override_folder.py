"""Lists the files of an override folder, without those that other programs keep in it.

Names that begin with a dot (git's, an editor's, the folders of a Kubernetes mount) and names that end in a tilde are
left out, with all that is in them. Symbolic links to files and folders are followed: a Kubernetes mount consists of
them.
"""

import os
from collections.abc import Iterator
from pathlib import Path


def entries(folder: Path) -> list[Path]:
    """Return all files and folders below a folder, sorted.

    Raises OSError if the folder, or one in it, cannot be read.
    """
    return sorted(_entries(folder, frozenset()))


def names(folder: Path) -> list[str]:
    """Return the names of the files and folders directly in a folder, sorted. Raises OSError."""
    return sorted(
        path.name for path in folder.iterdir() if not path.name.startswith(".") and not path.name.endswith("~")
    )


def _entries(folder: Path, above: frozenset[str]) -> Iterator[Path]:
    real = os.path.realpath(folder)
    if real in above:  # a link to a folder that it is in
        return
    for name in names(folder):
        path = folder / name
        yield path
        if path.is_dir():
            yield from _entries(path, above | {real})
