"""The three steps of a login as a client sends them: name, mechanism, proof (docs/kanidm-wire.md, Login).

    {"step": {"init2": {"username": "idm_admin", "issue": "token", "privileged": false}}}
    {"step": {"begin": "password"}}
    {"step": {"cred": {"password": "..."}}}

An older client says `{"init": "idm_admin"}` for the first. A step is a tagged value: one key only, and a known one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TypeGuard

from server_stub.api.json_body import wrong_type

MECHANISMS = {"anonymous", "password", "passwordbackupcode", "passwordtotp", "passwordsecuritykey", "passkey"}
CREDENTIALS = {"password", "totp", "backupcode", "passkey", "securitykey"}


@dataclass(frozen=True)
class Who:
    """The first step: a name, an spn or an id; `cookie` where the token shall come as a cookie too."""

    name: str
    cookie: bool


@dataclass(frozen=True)
class How:
    """The second step: a mechanism, one of those that were offered or not."""

    mechanism: str


@dataclass(frozen=True)
class Proof:
    """The third step: a password, or None for a credential of another kind."""

    password: str | None = field(repr=False)


Step = Who | How | Proof


def read_step(body: dict[str, object]) -> Step:
    """Return the step that a body of POST /v1/auth takes. Raises RejectedRequest 422."""
    match body:
        case {"step": {"init": str(name), **more}} if not more:
            return Who(name, cookie=False)
        case {"step": {"init2": {"username": str(name), "issue": issue, **wishes}, **more}} if not more:
            if isinstance(wishes.get("privileged", False), bool):
                return Who(name, read_issue(issue))
        case {"step": {"begin": str(mechanism), **more}} if not more and mechanism in MECHANISMS:
            return How(mechanism)
        case {"step": {"cred": credential, **more}} if not more and _is_credential(credential):
            return _proof(credential)
    raise wrong_type("expected a step of a login")


def read_issue(issue: object) -> bool:
    """Return whether a token shall come as a cookie too. Raises RejectedRequest 422."""
    if issue not in ("token", "cookie"):
        raise wrong_type("expected `token` or `cookie`")
    return issue == "cookie"


def _is_credential(value: object) -> TypeGuard[str | dict[str, object]]:
    if isinstance(value, dict):
        return len(value) == 1 and value.keys() <= CREDENTIALS and isinstance(value.get("password", ""), str)
    return value == "anonymous"


def _proof(credential: str | dict[str, object]) -> Proof:
    match credential:
        case {"password": str(password)}:
            return Proof(password)
    return Proof(None)
