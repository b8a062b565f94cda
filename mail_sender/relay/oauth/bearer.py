"""What is said to a relay with a token: XOAUTH2, as Google and Microsoft document it, and OAUTHBEARER (RFC 7628).

A relay that refuses the token may say why in a 334, as JSON in base64, and waits for an answer before its 535.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping

END_OF_ERROR: Mapping[str, str] = {"xoauth2": "", "oauthbearer": base64.b64encode(b"\x01").decode()}
"""The answer to a 334 with an error, by mechanism (RFC 7628, section 3.2.3)."""

_WORDS = re.compile(r"[\w:/. -]{1,120}")


def xoauth2(username: str, token: str) -> str:
    """Return the response of XOAUTH2, in base64."""
    return _base64(f"user={username}\x01auth=Bearer {token}\x01\x01")


def oauthbearer(username: str, token: str, host: str, port: int) -> str:
    """Return the response of OAUTHBEARER, in base64 (RFC 7628, section 3.1)."""
    name = username.replace("=", "=3D").replace(",", "=2C")
    return _base64(f"n,a={name},\x01host={host}\x01port={port}\x01auth=Bearer {token}\x01\x01")


def error_of(challenge: str) -> str:
    """Return what the JSON of a 334 says, in a few words: its status, and the scope that it wants."""
    try:
        values = json.loads(base64.b64decode(challenge, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    found = values if isinstance(values, dict) else {}
    said = [f"{name} {found[name]}" for name in ("status", "scope") if _WORDS.fullmatch(str(found.get(name, "")))]
    return ", ".join(said)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
