"""The two files of a preview: the data that it is made of, and what is made, by its suffix."""

from pathlib import Path
from typing import Any

from mail_sender.errors import MailSenderError, NotAllowed, UsageError
from mail_sender.preview.preview import Preview
from mail_sender.templating import samples


def fields(path: Path | None) -> dict[str, Any]:
    """Return the fields in a file of data; none without a file.

    Raises `UsageError`, `NotAllowed`.
    """
    if path is None:
        return {}
    try:
        return samples.data(path.read_text(encoding="utf-8-sig"))
    except samples.BadData as error:
        raise UsageError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None
    except PermissionError as error:
        raise NotAllowed(f"{path} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None


def write(path: Path, made: Preview) -> None:
    """Write the mail (`.eml`), its HTML (`.html`) or its text (`.txt`).

    Raises `UsageError` for another suffix, `MailSenderError` where it cannot be written.
    """
    html = made.html
    contents = {".eml": made.mail.content, ".txt": made.text.encode(), ".html": html.encode() if html else b""}
    if path.suffix not in contents:
        raise UsageError(f"{path}: the name must end in .eml, .html or .txt, which says what is written")
    if not (content := contents[path.suffix]):
        raise MailSenderError("mails have no HTML part: the configuration says html = false")
    try:
        path.write_bytes(content)
    except OSError as error:
        raise MailSenderError(f"{path} cannot be written: {error.strerror}") from None
