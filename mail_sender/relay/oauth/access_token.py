"""An access token, how long it is good, and why there is none. Times are monotonic, in seconds."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from mail_sender.names.secret import Secret

RENEW_BEFORE = 300.0
"""A token is renewed so long before its end, or a fifth of its life before, if that is less."""
UNKNOWN_LIFE = 300.0
"""How long a token is taken for good whose end nobody has said (RFC 6749, section 5.1, leaves it out)."""
_LAST_SECONDS = 5.0  # a login takes a moment, and clocks differ


@dataclass(frozen=True, slots=True)
class Grant:
    """What was got: a token, for how many seconds it is good, and a new refresh token, if there is one."""

    access_token: Secret
    lifetime: float = UNKNOWN_LIFE
    refresh_token: Secret | None = None


@dataclass(frozen=True, slots=True)
class AccessToken:
    """A token that was got at a time; `expires_at` is its end on the wall clock, in UTC."""

    text: Secret
    got: float
    ends: float
    expires_at: datetime

    @classmethod
    def of(cls, grant: Grant, now: float, wall: datetime) -> "AccessToken":
        """Return the token of a grant that came now."""
        return cls(grant.access_token, now, now + grant.lifetime, wall + timedelta(seconds=grant.lifetime))

    def is_good(self, now: float) -> bool:
        """Whether a login with it can succeed."""
        return now < self.ends - _LAST_SECONDS

    def is_due(self, now: float) -> bool:
        """Whether it is time to renew it."""
        return now >= self.ends - min(RENEW_BEFORE, (self.ends - self.got) / 5)


@dataclass(frozen=True, slots=True)
class TokenFault:
    """Why there is no token: what happened, and what to do; no secret is in it.

    `lasting` is true where a person must repair it. `retry_after` is for how many seconds the endpoint asked to be
    left alone, if it did.
    """

    detail: str
    advice: str
    lasting: bool
    retry_after: float | None = None


class NoToken(Exception):
    """There is no token to log in with."""

    def __init__(self, fault: TokenFault) -> None:
        super().__init__(f"{fault.detail}; {fault.advice}")
        self.fault = fault
