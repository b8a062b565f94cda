"""The files of templates on the disk: the built-in ones inside the package, and those of an override folder."""

from functools import cache
from pathlib import Path

from mail_sender.templating import override_folder

LARGEST = 1024 * 1024
"""Octets of one file, at most."""


class BadFile(Exception):
    """A file of the override folder cannot be used: `name` in the folder, and what is wrong with it."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(f"{name}: {found}")
        self.name = name
        self.found = found


@cache
def shipped_folder() -> Path:
    """Return the folder of the built-in templates."""
    inside = Path(__file__).parents[1] / "templates"
    # In a checkout the templates stand beside the package; the wheel carries them inside it.
    return inside if inside.is_dir() else Path(__file__).parents[2] / "templates"


@cache
def shipped() -> dict[str, str]:
    """Return the texts of the built-in files by name, such as `wording/en.toml`."""
    return read(shipped_folder())


def read(folder: Path) -> dict[str, str]:
    """Return the texts of all files below a folder, by their names in it.

    Raises `BadFile`, `override_folder.NotOfTemplates`; OSError if a folder or file cannot be read.
    """
    paths = [path for path in override_folder.entries(folder) if path.is_file()]
    return {(name := path.relative_to(folder).as_posix()): _text(path, name) for path in paths}


def _text(path: Path, name: str) -> str:
    if path.stat().st_size > LARGEST:
        raise BadFile(name, "is larger than 1 MiB")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile(name, "is not UTF-8") from None
