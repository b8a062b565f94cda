"""What the `{id}` of a path may be: a name, an SPN (`name@domain`), or a uuid in any of its spellings."""

from __future__ import annotations

import re
import uuid

UUID = re.compile(r"[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def usual(text: str) -> str:
    """Return a name or an SPN in lower case, a uuid in lower case and with hyphens."""
    wanted = text.lower()
    return str(uuid.UUID(wanted)) if UUID.fullmatch(wanted) else wanted
