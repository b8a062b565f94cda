"""The built-in templates, copied for an operator to change; what is there already is never written over."""

import os
from pathlib import Path

from mail_sender.errors import MailSenderError
from mail_sender.templating import template_set


def export(folder: Path, kind: str | None) -> list[Path]:
    """Copy our files, or one kind's, into a folder, which is made if need be; return what was written.

    Raises `MailSenderError`, before anything is written where a file is in the way.
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
