"""Logging in over HTTP, so that the real `kanidm` command works here: /v1/auth, /v1/jwk, /v1/reauth, /v1/logout.

A login is three POSTs (docs/kanidm-wire.md, Login). A signed session id ties them together: the server sets it in a
header and in a cookie, and a client sends back either; the header is preferred. A denial is a normal answer with
status 200. The client then fetches the key that its token names, and verifies the token.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from server_stub.api.access import Access
from server_stub.api.json_body import read_object
from server_stub.api.login_attempts import LoginAttempts, Outcome
from server_stub.api.login_steps import How, Proof, Step, Who, read_issue, read_step
from server_stub.errors import not_found
from server_stub.identity.accounts import Account
from server_stub.identity.identity_file import DAY, user_payload
from server_stub.identity.tokens import Keyring
from server_stub.queue.entry import to_text

SESSION_HEADER = "x-kanidm-auth-session-id"
SESSION_COOKIE = "auth-session-id"
BEARER_COOKIE = "bearer"


@dataclass(frozen=True)
class Login:
    """The handlers; who may log in is decided in `attempts`."""

    keyring: Keyring
    access: Access
    attempts: LoginAttempts

    async def auth(self, request: Request) -> Response:
        """POST /v1/auth: one step of a login."""
        step = read_step(await read_object(request))
        return self._answer(self._take(step, self._session(request)))

    async def reauth(self, request: Request) -> Response:
        """POST /v1/reauth: the body names the way of issue; the proof follows by /v1/auth."""
        cookie = read_issue((await request.body()).decode(errors="replace").strip().strip('"'))
        now = time.time()
        caller = self.access.caller(request.headers.get("authorization"), _bearer(request), now)
        return self._answer(self.attempts.renew(caller.account, now, cookie=cookie))

    async def jwk(self, request: Request) -> Response:
        """GET /v1/jwk/{kid}: the public key of people's tokens; the secret of the others is no answer to anybody."""
        if request.path_params["kid"] != self.keyring.private_id:
            raise not_found()
        return _json(self.keyring.public_jwk())

    async def logout(self, request: Request) -> Response:
        """GET /v1/logout: ends the caller's session, and answers null."""
        caller = self.access.caller(request.headers.get("authorization"), _bearer(request), time.time())
        self.access.end_session(caller)
        return _json(None)

    def _take(self, step: Step, session: str | None) -> Outcome:
        now = time.time()
        match step:
            case Who():
                return self.attempts.start(step, now)
            case How():
                return self.attempts.choose(session, step, now)
            case Proof():
                return self.attempts.prove(session, step, now)

    def _session(self, request: Request) -> str | None:
        shown = request.headers.get(SESSION_HEADER, request.cookies.get(SESSION_COOKIE))
        return self.keyring.read_session(shown) if shown else None

    def _answer(self, outcome: Outcome) -> Response:
        response = _json({"sessionid": outcome.session, "state": outcome.state})
        if outcome.goes_on:
            token = self.keyring.sign_session(outcome.session)
            response.headers[SESSION_HEADER] = token
            response.set_cookie(SESSION_COOKIE, token, path=None, secure=True, httponly=True, samesite="strict")
        if outcome.cookie:
            response.set_cookie(BEARER_COOKIE, outcome.cookie, secure=True, httponly=True, samesite="lax")
        return response


@dataclass(frozen=True)
class Issuer:
    """Makes the tokens of logins, which are good for a day.

    A real server wants the password again before it grants the right to write, for a while (`kanidm reauth`). Here
    the login brings it along, so that every command works where no terminal is.
    """

    keyring: Keyring

    def __call__(self, account: Account, now: float) -> str:
        """Return an ES256 token for `account`; `now` in unix seconds."""
        return self.keyring.sign_for_person(user_payload(account.role, account.uuid, int(now), int(now) + DAY))


def routes(login: Login) -> list[Route]:
    """Return the routes of the login, for the API to take in."""
    return [
        Route("/v1/auth", login.auth, methods=["POST"]),
        Route("/v1/reauth", login.reauth, methods=["POST"]),
        Route("/v1/jwk/{kid:segment}", login.jwk),
        Route("/v1/logout", login.logout),
    ]


def _bearer(request: Request) -> str | None:
    return request.cookies.get(BEARER_COOKIE)


def _json(value: object) -> Response:
    return Response(to_text(value), media_type="application/json")
