"""Who is calling, and what they may do (docs/kanidm-wire.md, Authentication, Who may do what)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from server_stub.api.revoked_sessions import RevokedSessions
from server_stub.errors import OperationError
from server_stub.identity.accounts import ADMIN, OWN_READABLE, Account
from server_stub.identity.tokens import Keyring
from server_stub.queue.entry import ATTRIBUTES


@dataclass(frozen=True)
class Caller:
    """An account, and its token: whether that may write, whether it is a person's, from a login, and its session."""

    account: Account
    may_write: bool
    is_person: bool = False
    session: str | None = None

    @property
    def sees_messages(self) -> bool:
        """Senders and message administrators see the queue; to others it is empty."""
        return bool({"idm_message_senders", "idm_message_admins"} & set(self.account.groups))

    @property
    def administers_messages(self) -> bool:
        """May queue test messages and delay what is queued."""
        return "idm_message_admins" in self.account.groups

    @property
    def changeable(self) -> frozenset[str]:
        """What the caller may change of a message, given a token that may write."""
        return frozenset({"send_after", "sent_at"} if self.administers_messages else {"sent_at"})

    @property
    def sees_people(self) -> bool:
        """Sees that people exist; a sender does not."""
        return self.account.role == ADMIN

    @property
    def resets_credentials(self) -> bool:
        """May send people links to reset their credentials."""
        return self.account.role == ADMIN and self.may_write

    def access_to_self(self) -> dict[str, object]:
        """Return `extAccessCheck` of the caller's own entry (captures "own entry with extAccessCheck")."""
        return self._access(OWN_READABLE, [], ["user_auth_token_session"])

    def access_to_message(self) -> dict[str, object]:
        """Return `extAccessCheck` of a message, (docs/kanidm-wire.md, Who may do what); in no capture."""
        changeable = sorted(self.changeable)
        return self._access(sorted([*ATTRIBUTES, "uuid"]), changeable, changeable)

    def _access(self, readable: list[str], present: list[str], removed: list[str]) -> dict[str, object]:
        return {
            "ident": self.account.uuid,
            "delete": False,
            "search": {"Allow": readable},
            "modifyPresent": {"Allow": present} if self.may_write else "Deny",
            "modifyRemove": {"Allow": removed} if self.may_write else "Deny",
        }


@dataclass(frozen=True)
class Access:
    """Turns what a request shows into a caller."""

    keyring: Keyring
    accounts: Mapping[str, Account]
    revoked_sessions: RevokedSessions = field(default_factory=RevokedSessions)

    def caller(self, authorization: str | None, cookie: str | None, now: float) -> Caller:
        """Return the caller; `now` in unix seconds. Raises OperationError 401.

        An Authorization header, be it of any kind, keeps the cookie from being looked at.
        """
        token = (cookie if authorization is None else _bearer(authorization)) or ""
        payload = self.keyring.verify(token) or {}
        account = self.accounts.get(_account_id(payload))
        if account is None:
            raise OperationError(401, "notauthenticated")
        expiry = payload.get("expiry")
        if (isinstance(expiry, int) and expiry <= now) or self.revoked_sessions.refuses(token, payload, now):
            raise OperationError(401, "sessionexpired")
        may_write, session = _may_write(payload.get("purpose"), now), payload.get("session_id")
        return Caller(account, may_write, "account_id" not in payload, None if session is None else str(session))

    def end_session(self, caller: Caller) -> None:
        """End the session of a caller; a service account's token has none, and stays good. Raises OSError."""
        if caller.session:
            self.revoked_sessions.add(caller.session)


def _bearer(authorization: str) -> str | None:
    scheme, _, token = authorization.partition(" ")
    return token if scheme.lower() == "bearer" else None


def _account_id(payload: dict[str, object]) -> str:
    return str(payload.get("account_id", payload.get("uuid")))


def _may_write(purpose: object, now: float) -> bool:
    """Tell whether a token may write: a service account's `readwrite`, a person's until its privilege ends.

    On a real server a person's privilege always ends; that of the stub's own administrator token does not.
    """
    match purpose:
        case {"readwrite": {"expiry": int(until)}}:
            return now < until
        case "readwrite" | {"readwrite": _}:
            return True
    return False
