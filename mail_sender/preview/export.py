"""Copies the built-in templates into a folder, for an operator to change; a file that exists is never overwritten."""

import os
from pathlib import Path

from mail_sender.errors import MailSenderError
from mail_sender.templating import template_set


def export(folder: Path, kind: str | None) -> list[Path]:
    """Copy the built-in files, or one kind's, into a folder, which is created if need be; return the new files.

    Raises `MailSenderError`; if a file is in the way, nothing is written at all.
    """
    ours = template_set.built_in().ours
    copies = {folder / name: text for name, text in ours.items() if kind is None or name.startswith(f"{kind}/")}
    if there := [path for path in copies if os.path.lexists(path)]:
        more = f" and {len(there) - 1} more of them are" if there[1:] else " is"
        raise MailSenderError(f"{there[0]}{more} there already, and export overwrites nothing: name another folder")
    try:
        for path, text in copies.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
    except OSError as error:
        raise MailSenderError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return list(copies)
