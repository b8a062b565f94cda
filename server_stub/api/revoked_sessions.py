"""The tokens that are revoked before they expire: `DIR/destroyed`, one in a line.

A logout writes its session's id there. People may add the id of a token, or the token itself from `tokens.json`, to
see what a sender does then. The file is read again for each request.

A session is refused as soon as it has ended, as in Kanidm's source (`SessionState::RevokedAt`). A service account's
token stays valid until five minutes after it was issued (docs/kanidm-wire.md, Authentication).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from server_stub.folder.files import write_atomically

GRACE_SECONDS = 300


@dataclass(frozen=True)
class RevokedSessions:
    """The file; without a path nothing is ever revoked."""

    path: Path | None = None

    def keys(self) -> list[str]:
        """Return all ids and tokens that are revoked. Raises OSError if the file cannot be read."""
        try:
            return self.path.read_text(encoding="utf-8", errors="replace").split() if self.path else []
        except FileNotFoundError:
            return []

    def add(self, key: str) -> None:
        """Revoke the session of this id. Raises OSError."""
        if self.path and key not in (keys := self.keys()):
            write_atomically(self.path, "".join(f"{one}\n" for one in [*keys, key]))

    def refuses(self, token: str, payload: dict[str, object], now: float) -> bool:
        """Tell whether a token that says `payload` is refused at `now`, in unix seconds."""
        ids = {payload.get("session_id"), payload.get("token_id"), token}
        return not ids.isdisjoint(self.keys()) and now >= _grace_ends(payload)


def _grace_ends(payload: dict[str, object]) -> float:
    issued = payload.get("issued_at")
    return issued + GRACE_SECONDS if "token_id" in payload and isinstance(issued, int) else 0
