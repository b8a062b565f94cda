"""Makes the captured requests anew, in their order, with one server's own names and ids in them.

Messages that were queued before are left alone. What the replay queues it marks as sent in the end, so that no sender
mails it.
"""

from __future__ import annotations

import json
import re
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.conformance.captures import ABSENT, Capture
from tests.conformance.likeness import by_age
from tests.conformance.server import Connection

# What the capturing script did besides, without noting it down; the answers that follow show it.
SECOND_RESET_BEFORE = "ready: test and reset"
FIRST_RESET_MARKED_BEFORE = "list: some sent"
FIRST_RESET = "8429a88c-942c-4e2b-a54f-899fe727feed"
SECOND_LOGIN_BEFORE = "login 3: wrong password"
CAPTURED_TOTAL = 3
RESET = "/v1/person/{}/_credential/_update_intent_send"
SESSION = "x-kanidm-auth-session-id"


@dataclass
class Replay:
    """One run through the captures. `ids` maps captured ids to those of this server."""

    at: Connection
    known: set[str] = field(default_factory=set)
    ids: dict[str, str] = field(default_factory=dict)
    session: str = ""
    kid: str = ""

    def run(self, captures: list[Capture]) -> Iterator[tuple[str, httpx.Response]]:
        """Yield each capture's name with this server's answer."""
        self.known = set(self.at.listed())
        try:
            for capture in captures:
                self._prepare(capture.name, captures)
                answer = self.ask(capture)
                yield capture.name, answer
                self._learn(capture, answer)
        finally:
            self._leave_nothing_to_mail()

    def ask(self, capture: Capture) -> httpx.Response:
        """Make one captured request."""
        body = {} if capture.body is ABSENT else {"json": self._said(capture.body)}
        role = capture.role if capture.role in self.at.server.tokens else None
        return self.at.ask(capture.method, self.path(capture), role, headers=self._headers(capture.role), **body)

    def path(self, capture: Capture) -> str:
        """Return the captured path with this server's names, ids, and one page more for each message it had before."""
        server, role = self.at.server, capture.role if capture.role in self.at.server.tokens else "readwrite"
        path = capture.path.replace("/Person/ellie/", f"/Person/{server.person}/")
        path = path.replace("/person/ellie/", f"/person/{server.person}/")
        path = path.replace("/Person/bob/", f"/Person/{server.person_without_mail}/")
        if "/Entry/" in path:
            path = re.sub(r"/Entry/[\w-]+", f"/Entry/{self.at.own_name(role)}", path)
        for theirs, ours in self.ids.items():
            path = path.replace(theirs, ours)
        return re.sub(r"startIndex=(\d+)", self._later, re.sub(r"/jwk/\w+", f"/jwk/{self.kid}", path))

    def _later(self, match: re.Match[str]) -> str:
        start = int(match[1])
        return f"startIndex={start + (len(self.known) if start > CAPTURED_TOTAL else 0)}"

    def _headers(self, role: str) -> dict[str, str]:
        head, payload, signature = self.at.server.tokens["readwrite"].split(".")
        oddly = {"garbage": "Bearer garbage", "forged": f"Bearer {head}.{payload}.{signature[::-1]}"}
        authorization = {"authorization": oddly[role]} if role in oddly else {}
        return authorization | ({SESSION: self.session} if self.session else {})

    def _said(self, body: Any) -> Any:
        match body:
            case {"step": {"cred": {"password": "<the password>"}}}:
                return {"step": {"cred": {"password": self.at.server.tokens["idm_admin_password"]}}}
            case {"step": {"init2": {"username": "idm_admin", **rest}}}:
                return {"step": {"init2": {"username": self.at.server.login, **rest}}}
        return body

    def _prepare(self, name: str, captures: list[Capture]) -> None:
        if name == SECOND_RESET_BEFORE:
            self._queue_reset()
        if name == FIRST_RESET_MARKED_BEFORE:
            self.at.ask("POST", f"/scim/v1/Message/{self.ids[FIRST_RESET]}/_sent", "readwrite")
        if name == SECOND_LOGIN_BEFORE:
            self.session = ""
            for capture in captures:
                if capture.name in {"login 1: who", "login 2: how"}:
                    self._learn(capture, self.ask(capture))

    def _queue_reset(self) -> None:
        body = {"ttl": 10, "email": None}
        self.at.ask("POST", RESET.format(self.at.server.person), "admin", json=body)

    def _learn(self, capture: Capture, answer: httpx.Response) -> None:
        self.session = answer.headers.get(SESSION, self.session) if "/v1/auth" in capture.path else ""
        if capture.name == "login 3: proof" and answer.status_code == 200:
            self.kid = _kid(answer)
        if capture.is_list and answer.status_code == 200 and capture.role != "outsider":
            ours = [one for one in answer.json()["resources"] if one["id"] not in self.known]
            pairs = zip(by_age(capture.json["resources"]), by_age(ours), strict=False)
            self.ids = {theirs["id"]: mine["id"] for theirs, mine in pairs} | self.ids

    def _leave_nothing_to_mail(self) -> None:
        for key, entry in self.at.listed().items():
            if key not in self.known and "sent_at" not in entry:
                self.at.ask("POST", f"/scim/v1/Message/{key}/_sent", "readwrite")


def _kid(answer: httpx.Response) -> str:
    token = str(answer.json()["state"].get("success", ""))
    head = token.partition(".")[0]
    return str(json.loads(urlsafe_b64decode(head + "=="))["kid"]) if head else ""
