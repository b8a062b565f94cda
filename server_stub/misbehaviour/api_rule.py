"""Rules about calls of the API, as they stand in [[api]] tables.

[[api]]
call = "ready"          # which call; see CALLS
status = 503            # answer this, and do nothing; or:
retry_after = 5         #   with this header, in seconds
body = "html"           #   json (Kanidm's error, the default), html (a proxy's page), empty, truncated, huge
cut = "before"          # disconnect before any work; "in_body": after half of the answer
lose_answer = true      # do the work, then disconnect without an answer
latency_ms = 500        # wait first; alone, or with one of the above

A call that a rule answers never reaches the application, as with a proxy in front of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import reduce

from server_stub.errors import StubError
from server_stub.misbehaviour.rule import TURN_KEYS, Rule, Turns
from server_stub.misbehaviour.toml_table import Table

BODIES = ("json", "html", "empty", "truncated", "huge")
CUTS = ("before", "in_body")
KEYS = ("call", *TURN_KEYS, "latency_ms", "status", "retry_after", "body", "cut", "lose_answer")
MESSAGE = r"GET /scim/v1/Message"
CALLS = {
    "ready": re.compile(rf"{MESSAGE}/_ready"),
    "list": re.compile(MESSAGE),
    "get": re.compile(rf"{MESSAGE}/[^/]+"),
    "sent": re.compile(r"POST /scim/v1/Message/[^/]+/_sent"),
    "send_test": re.compile(r"GET /scim/v1/Person/[^/]+/_message/_send_test"),
    "send_reset": re.compile(r"POST /v1/person/[^/]+/_credential/_update_intent_send"),
    "self": re.compile(r"GET /v1/self"),
    "auth": re.compile(r"\w+ /v1/(auth|reauth|jwk|logout)(/.*)?"),
    "entry": re.compile(r"\w+ /scim/v1/Entry(/.*)?"),
}
WORDS = (*CALLS, "any")


def call_of(method: str, path: str) -> str:
    """Return the name of a call; what has none is seen by rules about `any` call alone."""
    line = f"{method} {path}"
    return next((name for name, pattern in CALLS.items() if pattern.fullmatch(line)), "")


@dataclass(frozen=True)
class ApiAct:
    """What to do with a call; one of `status`, `cut` and `lose_answer` at most. The default does nothing unusual."""

    latency_ms: int = 0
    status: int | None = None
    retry_after: int | None = None
    body: str = "json"
    cut: str | None = None
    lose_answer: bool = False

    @property
    def ends(self) -> bool:
        """True if the answer, or that there is none, is settled."""
        return bool(self.status or self.cut or self.lose_answer)

    @property
    def words(self) -> str:
        """In words."""
        said = [
            f"waits {self.latency_ms} ms" if self.latency_ms else "",
            f"answers {self.status}, {self.body} body" if self.status else "",
            f"Retry-After {self.retry_after} s" if self.retry_after is not None else "",
            {"before": "disconnects before any work", "in_body": "disconnects in the body"}.get(self.cut or "", ""),
            "does the work and loses the answer" if self.lose_answer else "",
        ]
        return ", ".join(filter(None, said))


def joined(acts: list[ApiAct]) -> ApiAct:
    """Return all acts as one: waits add up, the last one says the rest."""
    return reduce(lambda one, next_: _with_latency(next_, one.latency_ms + next_.latency_ms), acts, ApiAct())


def _with_latency(act: ApiAct, latency_ms: int) -> ApiAct:
    return ApiAct(latency_ms, act.status, act.retry_after, act.body, act.cut, act.lose_answer)


def read(name: str, content: object) -> Rule[str, ApiAct]:
    """Read one [[api]] table. Raises StubError."""
    table = Table.read(name, content, KEYS)
    wanted = table.choice("call", WORDS)
    if wanted is None:
        raise StubError(f"{name} must say which `call`: {', '.join(WORDS)}.")
    act = _act(table)
    return Rule(f"API, {wanted}", act.words, lambda call: wanted in {"any", call}, Turns.read(table), act)


def _act(table: Table) -> ApiAct:
    answers = "status" in table.values or "body" in table.values
    act = ApiAct(
        latency_ms=table.whole("latency_ms") or 0,
        status=(table.whole("status", 200, 599) or 200) if answers else None,
        retry_after=table.whole("retry_after", 0),
        body=table.choice("body", BODIES) or "json",
        cut=table.choice("cut", CUTS),
        lose_answer=table.flag("lose_answer"),
    )
    if not (act.ends or act.latency_ms):
        raise StubError(f"{table.name} does nothing: give it latency_ms, status, body, cut or lose_answer.")
    if answers + bool(act.cut) + act.lose_answer > 1:
        raise StubError(f"{table.name} can do one of these: answer (status, body), cut, lose_answer.")
    if act.retry_after is not None and not answers:
        raise table.wrong("retry_after", "it needs a status")
    return act
