"""A link with which a person sets a new credential: its lifetime, its id and its address.

The lifetime is clamped to 5 minutes .. 1 day and is 1 hour by default; the address must be one of the account's
(docs/kanidm-wire.md, Queueing a mail).
"""

from __future__ import annotations

import secrets

from server_stub.errors import OperationError
from server_stub.identity.people import Person

SHORTEST, DEFAULT, LONGEST = 300, 3600, 86_400
CHARACTERS = "0123456789abcdefghjkmnpqrstuvwxyz"


def template(displayname: str, ttl: int | None, now: int) -> dict[str, object]:
    """Return the template of a reset; `ttl` and `now` in seconds, and so is the expiry (unix, an integer)."""
    lifetime = DEFAULT if ttl is None else min(max(ttl, SHORTEST), LONGEST)
    content = {"display_name": displayname, "intent_id": intent_id(), "expiry_time": now + lifetime}
    return {"CredentialResetV1": content}


def intent_id() -> str:
    """Return four random groups of five, as in `pp2qd-a5bd5-r953u-1az4w`."""
    return "-".join("".join(secrets.choice(CHARACTERS) for _ in range(5)) for _ in range(4))


def destination(person: Person, wanted: str | None) -> str:
    """Return the address to send to. Raises OperationError 500 with Kanidm's own words."""
    if wanted is not None and wanted not in person.mail:
        raise OperationError(500, "cu0007accountemailnotfound")
    if not person.mail:
        raise OperationError(500, "cu0008accountmissingemail")
    return wanted or person.mail[0]
