"""The login of the relay: one user, one password."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

AUTH_FAILED = "535 5.7.8 Authentication credentials invalid"


@dataclass(frozen=True)
class Login:
    """The one user who may send."""

    user: str
    password: str

    def __call__(self, _: SMTP, __: Session, ___: Envelope, ____: str, given: object) -> AuthResult:
        """Check what PLAIN or LOGIN brought, in aiosmtpd's terms."""
        if isinstance(given, LoginPassword) and self._matches(given):
            return AuthResult(success=True, auth_data=given.login)
        return AuthResult(success=False, handled=False, message=AUTH_FAILED)

    def _matches(self, given: LoginPassword) -> bool:
        same_user = hmac.compare_digest(given.login, self.user.encode())
        return hmac.compare_digest(given.password, self.password.encode()) and same_user
