"""The exchanges that were recorded with a real Kanidm server, in their order: later ones see what earlier ones did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "wire/captures.json"
ABSENT = object()
NOT_TOKENS = {"none", "garbage", "forged"}


@dataclass(frozen=True)
class Capture:
    """One request and the answer that a real server gave; `json` is ABSENT where the answer was text."""

    name: str
    method: str
    path: str
    role: str
    body: Any
    status: int
    headers: dict[str, str]
    json: Any
    text: str

    @property
    def needs(self) -> set[str]:
        """What a server must be known by for this request to be made: tokens, a password, another person."""
        tokens = {self.role} - NOT_TOKENS
        if "/v1/auth" in self.path or "/v1/jwk" in self.path:
            return {"idm_admin_password"}
        if "/Person/bob/" in self.path:
            return tokens | {"person without mail"}
        return tokens | ({"outsider"} if "/Entry/outsider" in self.path else set())

    @property
    def is_list(self) -> bool:
        """Whether the answer is a list of messages."""
        return isinstance(self.json, dict) and "resources" in self.json

    @property
    def is_account(self) -> bool:
        """Whether the answer describes an account, which differs from server to server."""
        return self.status == 200 and ("/v1/self" in self.path or "/Entry/" in self.path)


def load() -> list[Capture]:
    """Return all captures."""
    return [_capture(**raw) for raw in json.loads(FILE.read_text())]


def _capture(name: str, request: dict[str, Any], response: dict[str, Any]) -> Capture:
    return Capture(
        name=name,
        method=request["method"],
        path=request["path"],
        role=request["auth"],
        body=request.get("json", ABSENT),
        status=response["status"],
        headers=response["headers"],
        json=response.get("json", ABSENT),
        text=response.get("text", ""),
    )
