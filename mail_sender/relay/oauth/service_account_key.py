"""Reads the JSON file of a service account's key, as Google's console writes it."""

import json
import os
import stat
from pathlib import Path

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth.config import ServiceAccount

LARGEST = 65_536
"""Octets."""


class BadKeyFile(ValueError):
    """The file is not a service account's key; the message says why."""


def read(path: Path) -> tuple[ServiceAccount, str]:
    """Return the account, and its token endpoint, or an empty text. Raises `OSError`, `BadKeyFile`."""
    with os.fdopen(
        os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb"
    ) as file:  # a pipe is not waited for
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadKeyFile("is no regular file")
        content = file.read(LARGEST + 1)
    try:
        values = json.loads(content) if len(content) <= LARGEST else None
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise BadKeyFile("is not JSON")
    missing = [name for name in ("client_email", "private_key") if not _text(values.get(name))]
    if missing:
        raise BadKeyFile(f"has no {' and no '.join(missing)}")
    key = Secret(_text(values["private_key"]))
    account = ServiceAccount(_text(values["client_email"]), key, _text(values.get("private_key_id")))
    return account, _text(values.get("token_uri"))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
