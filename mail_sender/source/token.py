"""What a token says of itself: Kanidm's are compact JWS (docs/kanidm-wire.md, Authentication).

Nobody verifies it here, and nothing is decided by it: only the server knows whether it takes the token. What it says
of its end and its purpose is for people.
"""

import base64
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from mail_sender.names.secret import Secret

WARN_BEFORE = timedelta(days=14)
"""A new token should be there by then."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: when it ends (None: never), whether it may write, and whether it is a person's login.

    `may_write` is None if the token does not say.
    """

    expires: datetime | None
    may_write: bool | None
    is_persons: bool


def claims(token: Secret) -> Claims | None:
    """Return what a token says of itself, or None if it cannot be read: another version may have other tokens."""
    try:
        _, payload, _ = token.get_secret_value().split(".")
        found = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        expiry, purpose = found.get("expiry"), found.get("purpose")
        expires = None if expiry is None else datetime.fromtimestamp(float(expiry), UTC)
    except (ValueError, TypeError, AttributeError, OverflowError, OSError, RecursionError):
        return None
    kind = next(iter(purpose), None) if isinstance(purpose, dict) else purpose
    return Claims(expires, {"readwrite": True, "readonly": False}.get(str(kind)), "session_id" in found)
