"""The access token in use: kept, renewed before its end, by one renewal at a time.

Many connections log in at once, and `doctor` beside them: all who need a token while it is being renewed wait for the
same renewal, and get its token or its fault. A renewal that fails does no harm for as long as the old token is good.
A token that a relay has refused is not used again.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import structlog

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import endpoint, printed_token
from mail_sender.relay.oauth.access_token import AccessToken, Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.relay.oauth.refresh_token import RefreshToken

_log = structlog.get_logger()

LONGEST = 90.0
"""Seconds for one renewal, with all that is read and written for it."""
REST = 30.0
"""Seconds between two tries to renew a token that is good for a while yet."""

_REMEMBERED = 2


class Tokens:
    """The tokens of one configuration. `of` gives the one that all who have this configuration share.

    `now` is monotonic, in seconds.
    """

    def __init__(self, config: OAuthConfig, ask: "Ask", now: Callable[[], float] = time.monotonic) -> None:
        self._config = config
        self._ask = ask
        self._now = now
        self._refresh = RefreshToken(config.refresh_token, config.state) if config.refresh_token else None
        self._token: AccessToken | None = None
        self._said: deque[str] = deque(maxlen=_REMEMBERED)
        self._fault: TokenFault | None = None
        self._rests_until = 0.0
        self._renewal: asyncio.Task[AccessToken | TokenFault] | None = None

    @property
    def place(self) -> str:
        """Where tokens come from, as people write it."""
        return self._config.place

    @property
    def expires_at(self) -> datetime | None:
        """When the token in use ends, None if there is none."""
        return self._token.expires_at if self._token else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The last tokens, which a relay may quote."""
        return tuple(self._said)

    async def current(self) -> AccessToken:
        """Return a token that is good for a login. Raises `NoToken`."""
        now, token = self._now(), self._token
        if token is not None and not token.is_due(now):
            return token
        good = token if token is not None and token.is_good(now) else None
        if now < self._rests_until:
            if good is not None:
                return good
            if self._fault is not None:
                raise NoToken(self._fault)
        renewed = await self._renewed()
        if isinstance(renewed, AccessToken):
            return renewed
        if good is not None:
            self._rests_until = max(self._rests_until, now + REST)
            return good
        raise NoToken(renewed)

    def refused(self, token: AccessToken) -> None:
        """Take in that a relay refused a token: it is not used again."""
        if self._token is token:
            self._token = None

    async def _renewed(self) -> AccessToken | TokenFault:
        running = self._renewal
        if running is None or running.done() or running.get_loop() is not asyncio.get_running_loop():
            running = self._renewal = asyncio.ensure_future(self._renew())
        return await asyncio.shield(running)

    async def _renew(self) -> AccessToken | TokenFault:
        try:
            async with asyncio.timeout(LONGEST):
                grant = await self._granted()
        except NoToken as error:
            return self._failed(error.fault)
        except TimeoutError:
            detail = f"{self.place} and the state folder gave no token within {LONGEST:g} s"
            return self._failed(TokenFault(detail, "look at the disk of the state folder", lasting=False))
        token = AccessToken.of(grant, self._now(), datetime.now(UTC))
        _log.debug("oauth_token", place=self.place, seconds=round(grant.lifetime))
        if self._fault is not None:
            self._fault = None
            self._rests_until = 0.0
        self._token = token
        self._said.append(token.text.get_secret_value())
        return token

    async def _granted(self) -> Grant:
        """Ask with the newest refresh token, and keep the one that comes; a disk that hangs holds up nothing else."""
        if self._refresh is None:
            return await self._ask(self._config, None)
        grant = await self._ask(self._config, await asyncio.to_thread(self._refresh.current))
        if grant.refresh_token is not None:
            await asyncio.to_thread(self._refresh.take, grant.refresh_token)
        return grant

    def _failed(self, fault: TokenFault) -> TokenFault:
        now = self._now()
        is_good = self._token is not None and self._token.is_good(now)
        if is_good and self._fault is None:
            sentence = f"{fault.detail}; {fault.advice}; mail goes out meanwhile with the token that is good yet"
            _log.warning("oauth_not_renewed", message=sentence)
        self._fault = fault
        self._rests_until = now + (fault.retry_after or 0.0)
        return fault


Ask = Callable[[OAuthConfig, Secret | None], Awaitable[Grant]]
"""Gets a token, with the newest refresh token, if there is one. Raises `NoToken`."""


async def ask(config: OAuthConfig, refresh_token: Secret | None) -> Grant:
    """Get a token from the endpoint, or from the program. Raises `NoToken`."""
    if config.flow is Flow.COMMAND:
        return await printed_token.ask(config)
    return await endpoint.ask(config, refresh_token)


_SHARED: WeakValueDictionary[OAuthConfig, Tokens] = WeakValueDictionary()


def of(config: OAuthConfig) -> Tokens:
    """Return the tokens of a configuration: the same for all in this process who hold them."""
    return _SHARED.setdefault(config, Tokens(config, ask))
