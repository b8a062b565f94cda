"""Lists the files of an override folder, without those that other programs keep in it.

Names that begin with a dot (git's, an editor's, the folders of a Kubernetes mount) and names that end in a tilde are
left out, with all that is in them. Symbolic links to files and folders are followed: a Kubernetes mount consists of
them.
"""

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

MOST = 2_000
"""Files and folders in it, at most: each kind and each language has a handful."""


class NotOfTemplates(ValueError):
    """The folder holds so much that it cannot be meant, such as `/`; reading all of it would take minutes."""


def entries(folder: Path) -> list[Path]:
    """Return all files and folders below a folder, sorted.

    Raises `NotOfTemplates`, and OSError if the folder, or one in it, cannot be read.
    """
    found = list(islice(_entries(folder, frozenset()), MOST + 1))
    if len(found) > MOST:
        raise NotOfTemplates(f"it holds more than {MOST:,} files and folders")
    return sorted(found)


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
