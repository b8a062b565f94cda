"""What was observed on a real Kanidm and stands in no capture: query parameters, spellings, changes of an entry.

A rule is a single request with its answer; those that take several requests are functions. All of them work on one
message of their own, which is marked as sent in the end.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.conformance.captures import ABSENT, NOT_TOKENS
from tests.conformance.likeness import in_message
from tests.conformance.server import Connection, Server

LIST = "/scim/v1/Message"
ENTRY = "/scim/v1/Entry"
RESET = "/v1/person/{person}/_credential/_update_intent_send"
UNKNOWN = "00000000-0000-0000-0000-00000000abcd"
LATER = "2999-01-01T00:00:00Z"
DENIED, NO_MATCH = "accessdenied", "nomatchingentries"


@dataclass(frozen=True)
class Rule:
    """A request and its answer; `says` is the JSON, or in a tuple the beginning of a text, or whatever (ABSENT)."""

    name: str
    method: str
    path: str
    role: str
    status: int
    says: Any = ABSENT
    body: Any = ABSENT
    raw: tuple[str, str] | None = None

    @property
    def needs(self) -> set[str]:
        """The tokens that it takes."""
        return {self.role} - NOT_TOKENS


def put(name: str, role: str, status: int, says: Any, body: dict[str, Any]) -> Rule:
    return Rule(name, "PUT", ENTRY, role, status, says, {"id": "{message}"} | body)


def reset(name: str, status: int, says: Any, kind: str, text: str) -> Rule:
    return Rule(name, "POST", RESET, "admin", status, says, raw=(kind, text))


RULES = [
    Rule("a good token is valid", "GET", "/v1/auth/valid", "readwrite", 200, None),
    Rule("ready: bad parameters are ignored", "GET", f"{LIST}/_ready?count=0&startIndex=0", "readwrite", 200),
    Rule("list: count 0", "GET", f"{LIST}?count=0", "readwrite", 400, ("Failed to deserialize query string",)),
    Rule("list: startIndex 0", "GET", f"{LIST}?startIndex=0", "readwrite", 400, ("Failed to deserialize query",)),
    Rule("list: unreadable filter", "GET", f"{LIST}?filter=((", "readwrite", 400, ("Failed to deserialize query",)),
    Rule("list: unknown parameter", "GET", f"{LIST}?colour=red", "readwrite", 200),
    Rule("list: unknown attribute compared", "GET", f'{LIST}?filter=colour eq "x"', "readwrite", 400,
         {"invalidattributename": "colour"}),
    Rule("list: unknown attribute present", "GET", f"{LIST}?filter=colour pr", "readwrite", 400,
         {"schemaviolation": {"invalidattribute": "colour"}}),
    Rule("list: ne", "GET", f'{LIST}?filter=class ne "object"', "readwrite", 500, "filtergeneration"),
    Rule("list: nobody asks", "GET", f"{LIST}?filter=colour pr", "none", 401, "notauthenticated"),
    Rule("list: POST", "POST", LIST, "readwrite", 405, ("",)),
    Rule("list: a slash too many", "GET", f"{LIST}/", "readwrite", 404, ("Route not found",)),
    Rule("get: expired", "GET", f"{LIST}/{{message}}", "expired", 401, "sessionexpired"),
    Rule("get: outsider", "GET", f"{LIST}/{{message}}", "outsider", 404, NO_MATCH),
    Rule("get: nobody", "GET", f"{LIST}/{{message}}", "none", 401, "notauthenticated"),
    Rule("sent: no uuid, nobody", "POST", f"{LIST}/zzz/_sent", "none", 400, ("Invalid URL: Cannot parse `id`",)),
    Rule("sent: expired", "POST", f"{LIST}/{{message}}/_sent", "expired", 401, "sessionexpired"),
    Rule("sent: a body is no matter", "POST", f"{LIST}/{{message}}/_sent", "readwrite", 200, None,
         raw=("text/plain", "junk")),
    put("put: sent_at, readonly", "readonly", 403, DENIED, {"sent_at": None}),
    put("put: send_after, a sender", "readwrite", 403, DENIED, {"send_after": LATER}),
    put("put: delete_after, a sender", "readwrite", 403, DENIED, {"delete_after": LATER}),
    put("put: delete_after, an administrator", "admin", 403, DENIED, {"delete_after": LATER}),
    put("put: outsider", "outsider", 404, NO_MATCH, {"sent_at": None}),
    put("put: nobody", "none", 401, "notauthenticated", {"sent_at": None}),
    put("put: unknown id", "readwrite", 404, NO_MATCH, {"id": UNKNOWN, "sent_at": None}),
    Rule("post: a template", "POST", ENTRY, "admin", 400,
         {"invalidattribute": "Message values are not able to be set."},
         {"class": ["object", "outbound_message"], "message_template": {"TestMessageV1": {"display_name": "E"}}}),
    Rule("post: no template", "POST", ENTRY, "admin", 400,
         {"schemaviolation": {"missingmustattribute": ["message_template"]}},
         {"class": ["object", "outbound_message"], "send_after": LATER, "delete_after": LATER,
          "mail_destination": [{"primary": True, "value": "a@example.com"}]}),
    reset("reset: no JSON", 400, ("Failed to parse the request body as JSON",), "application/json", "{"),
    reset("reset: a wrong type", 422, ("Failed to deserialize the JSON body",), "application/json", '{"ttl": "1"}'),
    reset("reset: a wrong content type", 415, ("Expected request with `Content-Type",), "text/plain", "{}"),
    reset("reset: not the person's address", 500, "cu0007accountemailnotfound", "application/json",
          '{"email": "nobody-has-this@example.net"}'),
    Rule("reset: a sender", "POST", RESET, "readwrite", 500, "notauthorised", {}),
    Rule("send test: expired", "GET", "/scim/v1/Person/{person}/_message/_send_test", "expired", 401, "sessionexpired"),
]  # fmt: skip


@pytest.fixture(scope="module")
def message(server: Server) -> Iterator[str]:
    """Give the id of a message that this file queued."""
    with server.connected() as connection:
        before = connection.listed()
        path = f"/scim/v1/Person/{server.person}/_message/_send_test"
        assert connection.ask("GET", path, "admin").status_code == 200
        (key,) = connection.listed().keys() - before.keys()
        yield key
        connection.ask("POST", f"{LIST}/{key}/_sent", "readwrite")


def filled(value: Any, message: str, person: str) -> Any:
    text = json.dumps(value).replace("{message}", message).replace("{person}", person)
    return json.loads(text)


def test_a_request_gets_the_answer_that_was_observed(connection: Connection, message: str, rule: Rule) -> None:
    """One row of the error matrix, of the query parameters, or of who may change what."""
    path = filled(rule.path, message, connection.server.person)
    rest: dict[str, Any] = {}
    if rule.body is not ABSENT:
        rest["json"] = filled(rule.body, message, connection.server.person)
    if rule.raw:
        rest |= {"headers": {"content-type": rule.raw[0]}, "content": rule.raw[1]}
    answer = connection.ask(rule.method, path, None if rule.role == "none" else rule.role, **rest)
    assert answer.status_code == rule.status, answer.text
    assert said(answer, rule.says)


def said(answer: httpx.Response, says: Any) -> bool:
    match says:
        case (str(beginning),):
            return answer.text.startswith(beginning) and (beginning != "" or answer.text == "")
        case _ if says is ABSENT:
            return True
    return bool(answer.json() == says)


def test_an_id_may_be_written_in_three_ways(connection: Connection, message: str) -> None:
    """Hyphens, capitals and 32 digits name the same message."""
    for spelling in (message, message.upper(), message.replace("-", "")):
        assert connection.ask("GET", f"{LIST}/{spelling}", "readwrite").json()["id"] == message
        assert connection.ask("POST", f"{LIST}/{spelling}/_sent", "readwrite").status_code == 200


def test_head_works_where_get_does(connection: Connection) -> None:
    """HEAD has GET's status and no body."""
    answer = connection.ask("HEAD", f"{LIST}/_ready", "readwrite")
    assert (answer.status_code, answer.content) == (200, b"")


def test_the_scheme_is_read_in_any_case_and_alone_where_there_is_one(connection: Connection) -> None:
    """`BEARER` is the same word; the cookie counts only without an Authorization header."""
    token = connection.server.tokens["readwrite"]
    cookie = {"cookie": f"bearer={token}"}
    shown = ({"authorization": f"BEARER {token}"}, cookie, cookie | {"authorization": "Basic x"})
    statuses = [connection.ask("GET", "/v1/auth/valid", None, headers=headers).status_code for headers in shown]
    assert statuses == [200, 200, 401]


def test_every_answer_of_a_route_has_an_operation_id_and_a_policy(connection: Connection, message: str) -> None:
    """A uuid, new each time; a path that no route matches has neither version nor operation id."""
    answers = [connection.ask("GET", f"{LIST}/{message}", "readwrite") for _ in range(2)]
    first, second = (uuid.UUID(answer.headers["x-kanidm-opid"]) for answer in answers)
    assert first != second
    assert "default-src" in answers[0].headers["content-security-policy"]
    nowhere = connection.ask("GET", f"{LIST}s", "readwrite")
    assert not {"x-kanidm-version", "x-kanidm-opid"} & set(nowhere.headers)


def test_entries_can_be_reduced_to_some_attributes(connection: Connection, message: str) -> None:
    """`attributes` keeps `schemas` and `id` and ignores names that nobody knows."""
    entry = connection.ask("GET", f"{LIST}/{message}?attributes=send_after,colour", "readwrite").json()
    assert list(entry) == ["schemas", "id", "send_after"]


def test_an_unsent_message_is_ready_again(connection: Connection, message: str) -> None:
    """PUT with `sent_at: null` answers with the entry, from which the key is gone."""
    connection.ask("POST", f"{LIST}/{message}/_sent", "readwrite")
    entry = connection.ask("PUT", ENTRY, "readwrite", json={"id": message, "sent_at": None}).json()
    assert list(in_message(entry, "entry")) == []
    assert "sent_at" not in entry
    ready = connection.ask("GET", f"{LIST}/_ready", "readwrite").json()["resources"]
    assert message in {one["id"] for one in ready}


def test_a_delayed_message_waits_and_lives_no_longer(connection: Connection, message: str) -> None:
    """An administrator moves `send_after`; the message is listed but not ready, and `delete_after` stays."""
    before = connection.ask("GET", f"{LIST}/{message}", "readwrite").json()
    connection.ask("PUT", ENTRY, "readwrite", json={"id": message, "sent_at": None})
    answer = connection.ask("PUT", ENTRY, "admin", json={"id": message, "send_after": LATER})
    assert answer.status_code == 200, answer.text
    assert (answer.json()["send_after"], answer.json()["delete_after"]) == (LATER, before["delete_after"])
    ready = connection.ask("GET", f"{LIST}/_ready", "readwrite").json()["resources"]
    assert message not in {one["id"] for one in ready}
    assert message in connection.listed()


def test_marking_again_moves_the_time(connection: Connection, message: str) -> None:
    """A repeated `_sent` is 200 and overwrites `sent_at` with now, in UTC and in nanoseconds."""
    times = []
    for _ in range(2):
        assert connection.ask("POST", f"{LIST}/{message}/_sent", "readwrite").json() is None
        times.append(connection.ask("GET", f"{LIST}/{message}", "readwrite").json()["sent_at"])
    assert times[0] != times[1]
    assert all(one.startswith(time.strftime("%Y-", time.gmtime())) for one in times)
