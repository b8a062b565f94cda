"""The rows of the error matrix and the query parameters that the captures do not show (docs/kanidm-wire.md)."""

from __future__ import annotations

import re
import sqlite3
import time
import uuid
from datetime import datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from server_stub.api.access import Access
from server_stub.identity.accounts import SENDER, Account
from server_stub.identity.tokens import Keyring
from tests.support.stub import Stub

SECURITY = {
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "permissions-policy",
    "referrer-policy",
}
UNKNOWN = "00000000-0000-0000-0000-00000000abcd"
LIST = "/scim/v1/Message"


def raw(**changes: Any) -> dict[str, Any]:
    template = {"TestMessageV1": {"display_name": "Ellie"}}
    to = [{"primary": True, "value": "ellie@example.com"}]
    return {"message_template": template, "mail_destination": to} | changes


@pytest.mark.parametrize(
    "authorization",
    [
        "",
        "Bearer",
        "Basic ZWxsaWU6cGFzcw==",
        "Bearer a.b.c",
        "Bearer " + "W1s." * 3,
        "garbage",
        "Bearer é.é.é",
    ],
)
@pytest.mark.parametrize("path", ["/v1/self", "/v1/auth/valid", f"{LIST}/_ready", LIST, f"{LIST}/{UNKNOWN}"])
def test_a_bad_credential_is_no_credential(shared_stub: Stub, path: str, authorization: str) -> None:
    """Basic, garbage and an unsigned token get 401, however they are spelt."""
    answer = shared_stub.request("GET", path, None, headers={"authorization": authorization.encode()})
    assert (answer.status_code, answer.json()) == (401, "notauthenticated")
    assert answer.headers["www-authenticate"] == "Bearer"


def test_the_scheme_is_read_in_any_case(shared_stub: Stub) -> None:
    """`bearer` and `BEARER` are the same word."""
    token = shared_stub.tokens["readwrite"]
    for scheme in ("bearer", "BEARER"):
        assert shared_stub.request("GET", "/v1/self", None, headers={"authorization": f"{scheme} {token}"}).is_success


def test_the_cookie_counts_only_where_no_header_is(shared_stub: Stub) -> None:
    """An Authorization header alone decides, even a useless one."""
    cookie = {"cookie": f"bearer={shared_stub.tokens['readwrite']}"}
    assert shared_stub.request("GET", "/v1/auth/valid", None, headers=cookie).json() is None
    with_header = cookie | {"authorization": "Basic x"}
    assert shared_stub.request("GET", "/v1/auth/valid", None, headers=with_header).status_code == 401


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/self"),
        ("GET", LIST),
        ("GET", f"{LIST}/{UNKNOWN}"),
        ("POST", f"{LIST}/{UNKNOWN}/_sent"),
        ("GET", "/scim/v1/Person/ellie/_message/_send_test"),
    ],
)
def test_an_expired_token_is_named_as_such(shared_stub: Stub, method: str, path: str) -> None:
    """Expired is distinct from unknown."""
    answer = shared_stub.request(method, path, "expired")
    assert (answer.status_code, answer.json()) == (401, "sessionexpired")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("zzz", "invalid character: found `z` at 0"),
        ("12", "invalid length: expected length 32 for simple format, found 2"),
        ("1-2", "invalid group count: expected 5, found 2"),
        ("0000000-0000-0000-0000-00000000abcd", "invalid group length in group 0: expected 8, found 7"),
    ],
)
def test_a_malformed_id_is_refused_before_anybody_asks_who_is_calling(
    shared_stub: Stub, text: str, fault: str
) -> None:
    """`_sent` answers 400 in plain text even without a token."""
    answer = shared_stub.request("POST", f"{LIST}/{text}/_sent", None)
    assert answer.status_code == 400
    assert answer.text == f"Invalid URL: Cannot parse `id` with value `{text}`: UUID parsing failed: {fault}"


def test_an_id_may_be_written_in_three_ways(stub: Stub) -> None:
    """Hyphens, capitals and 32 digits name the same message."""
    (key,) = stub.queue([raw()])
    for spelling in (key, key.upper(), key.replace("-", "")):
        assert stub.request("GET", f"{LIST}/{spelling}").json()["id"] == key
        assert stub.request("POST", f"{LIST}/{spelling}/_sent", content=b"junk").json() is None


def test_marking_again_moves_the_time(stub: Stub) -> None:
    """A repeated `_sent` is 200 and overwrites `sent_at` with now."""
    (key,) = stub.queue([raw()])
    times = []
    for _ in range(2):
        assert stub.request("POST", f"{LIST}/{key}/_sent").status_code == 200
        times.append(stub.request("GET", f"{LIST}/{key}").json()["sent_at"])
    assert times[0] < times[1]


def test_only_what_is_due_and_unsent_is_ready(stub: Stub) -> None:
    """A `send_after` in the future waits, a sent one is done; the list shows both all the same."""
    due, later, sent = stub.queue([raw(), raw(send_after="2999-01-01T00:00:00Z"), raw()])
    stub.request("POST", f"{LIST}/{sent}/_sent")
    assert [one["id"] for one in stub.request("GET", f"{LIST}/_ready?count=0&filter=((").json()["resources"]] == [due]
    assert [one["id"] for one in stub.messages()] == [due, later, sent]


def test_a_queued_message_lives_for_seven_days(stub: Stub) -> None:
    """`send_after` is now, `delete_after` seven days later, both with nanoseconds; `sent_at` is absent."""
    before = time.time_ns()
    stub.send_test("ellie")
    (message,) = stub.messages()
    sent, deleted = (datetime.fromisoformat(message[key]) for key in ("send_after", "delete_after"))
    assert deleted - sent == timedelta(days=7)
    assert before // 1000 <= int(sent.timestamp() * 10**6) + 1
    assert list(message) == [
        "schemas", "id", "class", "delete_after", "mail_destination", "message_template", "send_after",
    ]  # fmt: skip


LIFETIMES = ((None, 3600), (0, 300), (10, 300), (7200, 7200), (10**9, 86400))


def test_the_lifetime_of_a_reset_is_clamped(stub: Stub) -> None:
    """From five minutes to a day, an hour by default, in whole unix seconds."""
    for ttl, lifetime in LIFETIMES:
        before = int(time.time())
        stub.send_reset("ellie", ttl=ttl)
        content = stub.messages()[-1]["message_template"]["CredentialResetV1"]
        assert 0 <= content["expiry_time"] - before - lifetime <= 5
        assert re.fullmatch(r"[0-9a-z]{5}(-[0-9a-z]{5}){3}", content["intent_id"])


RESET = "/v1/person/{}/_credential/_update_intent_send"


@pytest.mark.parametrize(
    ("account", "role", "body", "status", "answer"),
    [
        ("ellie", "admin", {"email": "other@example.com"}, 500, "cu0007accountemailnotfound"),
        ("bob", "admin", {}, 500, "cu0008accountmissingemail"),
        ("nobody_here", "admin", {}, 404, "nomatchingentries"),
        ("ellie", "readwrite", {}, 500, "notauthorised"),
        ("ellie", "outsider", {}, 500, "notauthorised"),
        ("ellie", None, {}, 401, "notauthenticated"),
        ("ellie", "admin", {"email": "ellie@example.com"}, 200, None),
        ("ellie@localhost", "admin", {}, 200, None),
    ],
)
def test_a_reset_that_cannot_be_sent_says_why(  # each case is one row
    shared_stub: Stub, account: str, role: str | None, body: dict[str, str], status: int, answer: str | None
) -> None:
    """The errors of a credential reset, with Kanidm's odd statuses."""
    response = shared_stub.request("POST", RESET.format(account), role, json=body)
    assert (response.status_code, response.json()) == (status, answer)


@pytest.mark.parametrize(
    ("content", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b'{"ttl": "1"}', "application/json", 422),
        (b'{"ttl": true}', "application/json", 422),
        (b'{"ttl": -1}', "application/json", 422),
        (b"[]", "application/json", 422),
        (b"{}", "text/plain", 415),
    ],
)
def test_an_unreadable_reset_is_answered_in_text(shared_stub: Stub, content: bytes, kind: str, status: int) -> None:
    """Wrong JSON, wrong types and a wrong content type differ, and come before the token is checked."""
    answer = shared_stub.request("POST", RESET.format("ellie"), None, content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    ("query", "status", "answer"),
    [
        ("filter=name pr", 200, None),
        ("filter=colour pr", 400, {"schemaviolation": {"invalidattribute": "colour"}}),
        ('filter=colour eq "x"', 400, {"invalidattributename": "colour"}),
        ('filter=send_after lt "2026-11-20T22:50:00Z"', 400, {"invalidattribute": "send_after"}),
        ('filter=mail_destination eq "a@b"', 400, {"invalidattribute": "mail_destination"}),
        ('filter=class ne "object"', 500, "filtergeneration"),
        ("filter=message_template.kind pr", 500, "filtergeneration"),
        ("filter=mail_destination[value pr]", 500, "filtergeneration"),
        ('filter=uuid eq "zzz"', 400, {"invalidattribute": "uuid"}),
        ("filter=" + " and ".join(["uuid pr"] * 33), 500, "resourcelimit"),
        ("filter=" + " and ".join(["uuid pr"] * 32), 200, None),
        ("filter=" + "not (" * 12 + "uuid pr" + ")" * 12, 500, "resourcelimit"),
        ("filter=" + "not (" * 11 + "uuid pr" + ")" * 11, 200, None),
        ("filter=" + "(" * 100 + "uuid pr" + ")" * 100, 200, None),
        ("sortBy=send_after&sortOrder=descending", 200, None),
        (f"count={2**64 - 1}", 200, None),
        (f"count={2**64 - 1}&startIndex={2**64 - 1}", 500, "sc0029paginationoutofbounds"),
        ("count=1&startIndex=99", 500, "sc0029paginationoutofbounds"),
        ("startIndex=2", 200, None),
        ("colour=red", 200, None),
    ],
)
def test_a_query_gets_kanidms_answer(shared_stub: Stub, query: str, status: int, answer: Any) -> None:
    """Filters that cannot be run and pages beyond the end get their own errors; unknown parameters are ignored."""
    response = shared_stub.request("GET", f"{LIST}?{query}")
    assert response.status_code == status
    if answer is not None:
        assert response.json() == answer


@pytest.mark.parametrize(
    "query",
    [
        *("count=0", "startIndex=0", "count=-1", "count=x", "extAccessCheck=maybe"),
        *("filter=", "filter=uuid", "filter=(uuid pr", "filter=uuid pr )", "filter=class eq object"),
        *("filter=not uuid pr", 'filter="', "filter=uuid zz 1", "filter=class[uuid pr", "filter=uuid.x pr and"),
        *("filter=" + "(" * 128 + "uuid pr" + ")" * 128, "sortOrder=up", "count=1&count=2", f"count={2**64}"),
        *("count=٣", "filter=colour pr and ("),
    ],
)
def test_an_unreadable_query_is_400_in_text(shared_stub: Stub, query: str) -> None:
    """A query that cannot be parsed is refused before the token is looked at."""
    answer = shared_stub.request("GET", f"{LIST}?{query}", None)
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/plain")


@pytest.mark.parametrize(
    "query", ["filter=colour pr", 'filter=class ne "x"', "filter=" + "not (" * 20 + "uuid pr" + ")" * 20]
)
def test_a_filter_that_cannot_be_run_is_found_out_after_the_token(shared_stub: Stub, query: str) -> None:
    """It can be read: a missing token is reported first, and an outsider learns that it cannot be run."""
    assert shared_stub.request("GET", f"{LIST}?{query}", None).status_code == 401
    assert shared_stub.request("GET", f"{LIST}?{query}", "outsider").status_code in {400, 500}


def test_one_message_is_asked_for_with_the_same_parameters(shared_stub: Stub) -> None:
    """They are read as strictly, and a filter that could not be run is not run."""
    (key,) = shared_stub.queue([raw()])
    assert shared_stub.request("GET", f"{LIST}/{key}?count=0").status_code == 400
    assert shared_stub.request("GET", f"{LIST}/{key}?filter=((").status_code == 400
    assert shared_stub.request("GET", f"{LIST}/{key}?filter=colour pr&count=1").json()["id"] == key


def test_filters_select_what_they_say(stub: Stub) -> None:
    """`pr`, `eq`, `and`, `or`, `not` and parentheses, with `and` binding closer than `or`."""
    first, second, bare = stub.queue([raw(), raw(sent_at="2026-01-01T00:00:00Z"), {"raw": True}])
    cases = {
        "sent_at pr": {second},
        "not (sent_at pr)": {first, bare},
        "class pr": {first, second},
        'class eq "outbound_message"': {first, second},
        f'uuid eq "{first.upper()}"': {first},
        f'uuid eq "{first}" or sent_at pr and class pr': {first, second},
        f'(uuid eq "{first}" or uuid pr) and sent_at pr': {second},
        "not (sent_at pr or class pr)": {bare},
        "displayname pr": set(),
    }
    for text, wanted in cases.items():
        response = stub.request("GET", LIST, params={"filter": text}).json()
        assert response["totalResults"] == len(wanted), text
        assert {one.get("id", bare) for one in response["resources"]} == wanted


def test_entries_can_be_reduced_to_some_attributes(stub: Stub) -> None:
    """`attributes` keeps `schemas` and `id` and ignores names that nobody knows."""
    (key,) = stub.queue([raw()])
    for path in (f"{LIST}/{key}", LIST):
        answer = stub.request("GET", f"{path}?attributes=send_after,colour").json()
        entry = answer["resources"][0] if "resources" in answer else answer
        assert list(entry) == ["schemas", "id", "send_after"]


@pytest.mark.parametrize(
    ("role", "present"),
    [("readwrite", {"Allow": ["sent_at"]}), ("readonly", "Deny"), ("admin", {"Allow": ["send_after", "sent_at"]})],
)
def test_a_message_tells_what_its_reader_may_change(stub: Stub, role: str, present: Any) -> None:
    """`extAccessCheck` follows the token and the groups."""
    (key,) = stub.queue([raw()])
    entry = stub.request("GET", f"{LIST}/{key}?extAccessCheck=true", role).json()
    assert entry["extAccessCheck"]["modifyPresent"] == present
    assert list(entry)[:3] == ["schemas", "id", "extAccessCheck"]


@pytest.mark.parametrize(
    ("path", "allow"), [(LIST, "GET,HEAD"), ("/status", "GET,HEAD"), (RESET.format("x"), "POST")]
)
def test_a_wrong_method_is_405_and_names_the_right_one(shared_stub: Stub, path: str, allow: str) -> None:
    """An empty body, `allow`, and the operation id, as on every path that exists."""
    answer = shared_stub.request("DELETE", path)
    assert (answer.status_code, answer.text, answer.headers["allow"]) == (405, "", allow)
    assert uuid.UUID(answer.headers["x-kanidm-opid"]).version == 4


@pytest.mark.parametrize("path", [f"{LIST}/", "/", "/scim/v1/Messages", f"{LIST}/{UNKNOWN}/_sent/", "/v1/auth/"])
def test_an_unknown_path_is_answered_by_nobody(shared_stub: Stub, path: str) -> None:
    """Neither version nor operation id, and no redirection for a slash too many."""
    answer = shared_stub.request("GET", path)
    assert (answer.status_code, answer.text) == (404, "Route not found")
    assert not {"x-kanidm-version", "x-kanidm-opid"} & set(answer.headers)


def test_a_path_is_compared_as_it_was_sent(shared_stub: Stub) -> None:
    """As Kanidm's router does it: only what a name captures is decoded."""
    assert shared_stub.request("GET", "/scim/v1/%4dessage").text == "Route not found"
    for name in ("%5fready", "a%2Fb"):
        answer = shared_stub.request("GET", f"{LIST}/{name}")
        assert (answer.status_code, answer.json()) == (404, "nomatchingentries")
    assert shared_stub.request("GET", "/scim/v1/Entry/mail%2Dsender").status_code == 200


def test_head_works_where_get_does(shared_stub: Stub) -> None:
    """HEAD has GET's headers and no body."""
    answer = shared_stub.request("HEAD", f"{LIST}/_ready")
    assert (answer.status_code, answer.content) == (200, b"")


def test_an_outsider_sees_nothing_and_gets_no_error(stub: Stub) -> None:
    """An empty list, and 404 for a message that exists."""
    (key,) = stub.queue([raw()])
    assert stub.request("GET", LIST, "outsider").json()["totalResults"] == 0
    assert stub.request("GET", f"{LIST}/{key}", "outsider").status_code == 404
    assert stub.request("POST", f"{LIST}/{key}/_sent", "outsider").status_code == 404
    assert "sent_at" not in stub.messages()[0]


@pytest.mark.parametrize("spelling", ["mail-sender", "Mail-Sender@localhost", "{id}", "{hex}"])
def test_only_the_own_entry_can_be_read(shared_stub: Stub, spelling: str) -> None:
    """By name, spn or uuid, as `{id}` is everywhere; another account's entry is not there."""
    own = shared_stub.request("GET", "/scim/v1/Entry/mail-sender").json()["id"]
    path = f"/scim/v1/Entry/{spelling.format(id=own.upper(), hex=own.replace('-', ''))}"
    assert shared_stub.request("GET", path).json()["id"] == own
    assert "extAccessCheck" not in shared_stub.request("GET", path).json()
    assert shared_stub.request("GET", path, "outsider").status_code == 404


def test_a_person_is_named_in_any_spelling(stub: Stub) -> None:
    """Name, SPN and uuid, in capitals and as 32 digits too."""
    own = str(uuid.uuid5(uuid.NAMESPACE_DNS, "ellie@localhost"))
    spellings = ("ellie", "Ellie", "ELLIE@localhost", own, own.upper(), own.replace("-", ""))
    for number, spelling in enumerate(spellings, 1):
        stub.send_test(spelling)
        stub.send_reset(spelling)
        assert len(stub.messages()) == 2 * number
    for unknown in ("ellie@example.com", own[:-1], "urn:uuid:" + own):
        answer = stub.request("GET", f"/scim/v1/Person/{unknown}/_message/_send_test", "admin")
        assert (answer.status_code, answer.json()) == (404, "nomatchingentries")


@pytest.mark.parametrize(
    ("path", "names"),
    [
        ("/status", {"x-kanidm-opid"}),
        ("/v1/auth/valid", {"x-kanidm-version", "x-kanidm-opid", "cache-control", *SECURITY}),
        (f"{LIST}/_ready", {"x-kanidm-version", "x-kanidm-opid", *SECURITY}),
        (f"{LIST}/{UNKNOWN}", {"x-kanidm-version", "x-kanidm-opid", *SECURITY}),
        ("/nowhere", set()),
    ],
)
def test_the_headers_follow_from_the_layer_that_answers(shared_stub: Stub, path: str, names: set[str]) -> None:
    """Version, operation id and security headers on every route, errors included; none of them elsewhere."""
    headers = shared_stub.request("GET", path).headers
    of_kanidm = {"x-kanidm-version", "x-kanidm-opid", "cache-control", *SECURITY}
    assert of_kanidm & set(headers) == names
    assert headers.get("strict-transport-security", "max-age=63072001") == "max-age=63072001"
    assert headers.get("x-kanidm-version", "1.12.0-dev") == "1.12.0-dev"
    assert "frame-ancestors 'none'" in headers.get("content-security-policy", "frame-ancestors 'none'")


PURPOSES = (
    ("readwrite", True),
    ("readonly", False),
    ("synchronise", False),
    ({"readwrite": {"expiry": None}}, True),
    ({"readwrite": {"expiry": 1_001}}, True),
    ({"readwrite": {"expiry": 1_000}}, False),
    (None, False),
)


def test_what_a_token_may_do_follows_from_its_purpose() -> None:
    """A person's privilege ends at its second; only `readwrite` writes; where the account id stands tells a person."""
    keyring = Keyring(b"secret", ec.generate_private_key(ec.SECP256R1()))
    account = Account(SENDER, str(uuid.uuid4()), "cid")
    access = Access(keyring, {account.uuid: account})
    for purpose, may_write in PURPOSES:
        for key, is_person in (("account_id", False), ("uuid", True)):
            token = keyring.sign_for_service({key: account.uuid, "expiry": 1_002, "purpose": purpose})
            caller = access.caller(f"Bearer {token}", None, 1_000)
            assert (caller.may_write, caller.is_person) == (may_write, is_person), purpose


def test_a_queue_that_fails_is_an_answer(stub: Stub) -> None:
    """A table that is gone is no lock: Kanidm's word for a fault of its own database, and no stack trace."""
    other = sqlite3.connect(stub.dir / "queue.sqlite", isolation_level=None)
    other.execute("DROP TABLE message")
    other.close()
    answer = stub.request("GET", LIST)
    assert (answer.status_code, answer.json()) == (500, "backend")


def test_a_locked_queue_is_an_answer(stub: Stub) -> None:
    """A writer that does not end gets the caller Kanidm's error, soon: whoever else asks meanwhile has to wait for it."""
    other = sqlite3.connect(stub.dir / "queue.sqlite", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        begun = time.monotonic()
        answer = stub.request("GET", "/scim/v1/Person/ellie/_message/_send_test", "admin")
        waited = time.monotonic() - begun
        other.execute("ROLLBACK")
    finally:
        other.close()
    assert (answer.status_code, answer.json()) == (500, "databaselockacquisitiontimeout")
    assert waited < 3
    stub.send_test("ellie")
