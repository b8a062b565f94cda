"""The server that is asked: the stub, or any other by its address, its CA and its tokens."""

from __future__ import annotations

import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

SECONDS = 30.0
ROLES = ("readwrite", "readonly", "outsider", "expired", "admin")


@dataclass(frozen=True)
class Server:
    """Where it is and whom it knows. `version` is what it must call itself, None for anything."""

    url: str
    trust: ssl.SSLContext
    tokens: Mapping[str, str]
    person: str = "ellie"
    person_without_mail: str | None = "bob"
    login: str = "idm_admin"
    version: str | None = None

    @property
    def has(self) -> set[str]:
        """What captures may need (see Capture.needs)."""
        without = {"person without mail"} if self.person_without_mail else set()
        return {name for name, value in self.tokens.items() if value} | without

    @contextmanager
    def connected(self) -> Iterator[Connection]:
        """Open a connection without cookies and without a proxy from the environment."""
        with httpx.Client(base_url=self.url, verify=self.trust, trust_env=False, timeout=SECONDS) as http:
            yield Connection(self, http)


@dataclass(frozen=True)
class Connection:
    """A connection to a server, on which each request says who is asking."""

    server: Server
    http: httpx.Client

    def ask(self, method: str, path: str, role: str | None, **rest: Any) -> httpx.Response:
        """Ask as a role of the tokens, or as nobody."""
        headers = dict(rest.pop("headers", {}))
        if role:
            headers["authorization"] = f"Bearer {self.server.tokens[role]}"
        self.http.cookies.clear()
        return self.http.request(method, path, headers=headers, **rest)

    def listed(self) -> dict[str, dict[str, Any]]:
        """Return all messages by their ids."""
        answer = self.ask("GET", "/scim/v1/Message", "readwrite")
        assert answer.status_code == 200, f"The queue cannot be listed: {answer.status_code} {answer.text[:80]}"
        return {one["id"]: one for one in answer.json()["resources"]}

    def own_name(self, role: str) -> str:
        """Return the name of the account that a token belongs to."""
        attributes = self.ask("GET", "/v1/self", role).json()["youare"]["attrs"]
        return str(attributes["name"][0])
