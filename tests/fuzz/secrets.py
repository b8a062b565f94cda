"""The secrets that stand in the cases, and the search for them in what is shown.

Each looks like what it stands for, and none is like another text of a case: whatever holds a piece of one shows it.
"""

import base64
from collections.abc import Collection

from tests.fuzz.target import Shown

TOKEN = "eyJhbGciOiJFUzI1NiIsImtpZCI6ImYxIn0.eyJzZXNzaW9uX2lkIjoiOWI3In0.Zk3vQ8tLx2Rr5Wm1Np"
PASSWORD = "qX7pLw2Rk9TzVb4N"
URL_PASSWORD = "Jd5uHs8Gy3KcQe6M"
WEBHOOK = "Vr4nBx9Pz2LmSw7T"
ACCESS_KEY = "Fa8eYt3Uo5ChXk6D"
ARGUMENT = "Ni6jWv4Mq1ErGs9L"
PROXY_PASSWORD = "Tb2hKf7Xw8ZyRp3A"
INTENT = "h4m2k-z9x7q-w3v8t-p5r6n"

ALL = (TOKEN, PASSWORD, URL_PASSWORD, WEBHOOK, ACCESS_KEY, ARGUMENT, PROXY_PASSWORD, INTENT)
_PIECE = 12
"""Characters that are still taken for a secret: of fewer nobody can tell what they are."""
_SPELLINGS = {
    secret: {
        secret,
        secret.upper(),
        secret.replace("-", ""),
        secret.encode().hex(),
        base64.b64encode(secret.encode()).decode().rstrip("="),
    }
    for secret in ALL
}
_PIECES = {
    secret: {piece for text in texts for piece in (text[:_PIECE], text[-_PIECE:])}
    for secret, texts in _SPELLINGS.items()
}


def holds(text: str, secret: str) -> bool:
    """Say whether a piece of a secret stands in a text."""
    return any(piece in text for piece in _PIECES[secret])


def require_hidden(*texts: str, but: Collection[str] = ()) -> None:
    """Raise `Shown` if a piece of a secret stands in one of the texts; of all secrets but those."""
    for secret in ALL:
        found = [] if secret in but else [text for text in texts if holds(text, secret)]
        if found:
            raise Shown(f"{secret} in {found[0][:500]!r}")
