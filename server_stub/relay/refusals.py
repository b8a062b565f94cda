"""The recipients that the relay refuses, from `DIR/refuse.toml`, which is read again for each recipient.

    [[refuse]]
    recipient = "bob@example.com"
    code = 550
    text = "5.1.1 No such user here"

Without the file nobody is refused. While the file is broken, everybody is refused for now (451), because its meaning
is unknown, and stderr says so.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

from server_stub.errors import StubError


def reply_for(recipient: str, path: Path) -> str | None:
    """Return the SMTP reply that refuses `recipient`, None if it is welcome.

    Raises StubError for a broken file.
    """
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise StubError(f"Cannot read {path}: {error}.") from error
    rows = content.get("refuse", [])
    if not isinstance(rows, list) or content.keys() - {"refuse"}:
        raise StubError(f"{path} must hold [[refuse]] tables and nothing else.")
    replies = dict(_rule(path, row) for row in rows)
    return replies.get(recipient.lower())


def _rule(path: Path, row: object) -> tuple[str, str]:
    match row:
        case {"recipient": str(recipient), "code": int(code), "text": str(text), **more} if 400 <= code <= 599:
            if text.isascii() and text.isprintable() and not more:
                return recipient.lower(), f"{code} {text}"
    raise StubError(
        f"Each [[refuse]] in {path} must have a recipient, a code from 400 to 599 and a text of one line in ASCII."
    )
