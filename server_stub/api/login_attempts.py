"""The logins that have begun: who has said who they are, and which step comes next.

Only the administrator has a password; people and service accounts cannot log in, and the answer says so. An attempt
lives for five minutes and in memory: a restart forgets it, as it does on a real server, whose key for these sessions
is made anew at each start. The captures show a login that succeeds; all other answers follow Kanidm's source.
"""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Enum, auto

from server_stub.api.login_steps import How, Proof, Who
from server_stub.errors import OperationError, not_found
from server_stub.identity.accounts import ADMIN, Account
from server_stub.identity.people import People

SECONDS = 300
MECHANISM = "password"
NO_SESSION = "session id not present in cred"
OUT_OF_ORDER = "session already finalised!"
NO_WAY_IN = "invalid credential state"
WRONG_WAY = "invalid authentication method in this context"
NOT_IT = "incorrect password"


class Stage(Enum):
    """What is owed next."""

    HOW = auto()
    PROOF = auto()
    NOTHING = auto()


@dataclass
class Attempt:
    """A login of `account` that began at `begun` (unix seconds)."""

    account: Account
    begun: float
    cookie: bool
    stage: Stage


@dataclass(frozen=True)
class Outcome:
    """An answer: the state in Kanidm's form, and whether the session goes on or how its token is handed out."""

    session: str
    state: dict[str, object] = field(repr=False)
    goes_on: bool = False
    cookie: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class LoginAttempts:
    """Every login that has begun. `issue` makes the token of an account at a time in unix seconds."""

    accounts: Mapping[str, Account]
    people: People
    password: str = field(repr=False)
    issue: Callable[[Account, float], str]
    _open: dict[str, Attempt] = field(default_factory=dict)

    def start(self, step: Who, now: float) -> Outcome:
        """Take a name and offer what proves it. Raises OperationError 404 for a name that nobody has."""
        account = next((one for one in self.accounts.values() if one.answers_to(step.name)), None)
        if account is None and self.people.find(step.name) is None:
            raise not_found()
        if account is None or account.role != ADMIN:
            return _denied(str(uuid.uuid4()), NO_WAY_IN)
        session = self._begin(Attempt(account, now, step.cookie, Stage.HOW))
        return Outcome(session, {"choose": [MECHANISM]}, goes_on=True)

    def renew(self, account: Account, now: float, *, cookie: bool) -> Outcome:
        """Ask somebody who is logged in for the proof once more. Raises OperationError for who has none."""
        if account.role != ADMIN:
            raise OperationError(500, "invalidstate")
        session = self._begin(Attempt(account, now, cookie, Stage.PROOF))
        return Outcome(session, {"continue": [MECHANISM]}, goes_on=True)

    def choose(self, session: str | None, step: How, now: float) -> Outcome:
        """Take the mechanism. Raises OperationError if no name was given before, or one was chosen already."""
        key, attempt = self._find(session, Stage.HOW, now)
        if step.mechanism != MECHANISM:
            attempt.stage = Stage.NOTHING
            return _denied(key, WRONG_WAY)
        attempt.stage = Stage.PROOF
        return Outcome(key, {"continue": [MECHANISM]}, goes_on=True)

    def prove(self, session: str | None, step: Proof, now: float) -> Outcome:
        """Take the proof, once, and hand out a token. Raises OperationError if the steps before it lack."""
        key, attempt = self._find(session, Stage.PROOF, now)
        attempt.stage = Stage.NOTHING
        if step.password is None:
            return _denied(key, WRONG_WAY)
        if not hmac.compare_digest(step.password.encode(errors="replace"), self.password.encode()):
            return _denied(key, NOT_IT)
        token = self.issue(attempt.account, now)
        return Outcome(key, {"success": token}, cookie=token if attempt.cookie else None)

    def _begin(self, attempt: Attempt) -> str:
        for key in [key for key, other in self._open.items() if attempt.begun - other.begun > SECONDS]:
            del self._open[key]
        session = str(uuid.uuid4())
        self._open[session] = attempt
        return session

    def _find(self, session: str | None, stage: Stage, now: float) -> tuple[str, Attempt]:
        if session is None:
            raise OperationError(500, {"invalidauthstate": NO_SESSION})
        attempt = self._open.get(session)
        if attempt is None or now - attempt.begun > SECONDS:
            raise OperationError(500, "invalidsessionstate")
        if attempt.stage is not stage:
            raise OperationError(500, {"invalidauthstate": OUT_OF_ORDER})
        return session, attempt


def _denied(session: str, why: str) -> Outcome:
    return Outcome(session, {"denied": why})
