"""PUT and POST /scim/v1/Entry: who may un-send and delay, and that nobody can make a message.

Source: docs/kanidm-wire.md, Changing an entry.
"""

from __future__ import annotations

import time
from typing import Any

import pytest

from server_stub.queue.entry import compose
from server_stub.queue.store import Store
from tests.support.stub import Stub

LIST = "/scim/v1/Message"
ENTRY = "/scim/v1/Entry"
UNKNOWN = "00000000-0000-0000-0000-00000000abcd"
LATER = "2999-01-01T00:00:00Z"
DENIED = (403, "accessdenied")
TEMPLATE: dict[str, object] = {"TestMessageV1": {"display_name": "Ellie"}}


@pytest.fixture
def key(shared_stub: Stub) -> str:
    """Give the id of a message that was sent."""
    store = Store.open(shared_stub.dir / "queue.sqlite", create=False)
    (key,) = store.add([compose(TEMPLATE, "ellie@example.com", time.time_ns())])
    store.mark_sent(key, time.time_ns())
    store.close()
    return key


def put(stub: Stub, role: str | None, **body: Any) -> tuple[int, Any]:
    answer = stub.request("PUT", ENTRY, role, json=body)
    return answer.status_code, answer.json()


def ready(stub: Stub) -> list[str]:
    return [one["id"] for one in stub.request("GET", f"{LIST}/_ready").json()["resources"]]


def test_a_sender_unsends(shared_stub: Stub, key: str) -> None:
    """The answer is the entry without `sent_at`, and the message is ready again."""
    status, entry = put(shared_stub, "readwrite", id=key, sent_at=None)
    assert (status, entry["id"], "sent_at" in entry) == (200, key, False)
    assert entry == shared_stub.request("GET", f"{LIST}/{key}").json()
    assert key in ready(shared_stub)


def test_a_sender_may_set_any_time(shared_stub: Stub, key: str) -> None:
    """`sent_at` is an attribute like another: it can be set to a time of one's own, as nanoseconds allow."""
    status, entry = put(shared_stub, "readwrite", id=key.upper(), sent_at="2026-11-20T22:46:23.471381168Z")
    assert (status, entry["sent_at"]) == (200, "2026-11-20T22:46:23.471381168Z")


def test_an_administrator_delays(shared_stub: Stub, key: str) -> None:
    """Unsent and delayed in one change: listed, not ready, and `delete_after` as before."""
    before = shared_stub.request("GET", f"{LIST}/{key}").json()
    status, entry = put(shared_stub, "admin", id=key, sent_at=None, send_after=LATER)
    assert (status, entry["send_after"], entry["delete_after"]) == (200, LATER, before["delete_after"])
    assert key not in ready(shared_stub)
    assert key in {one["id"] for one in shared_stub.messages()}


def test_a_time_of_another_zone_is_kept_in_utc(shared_stub: Stub, key: str) -> None:
    """A release server takes it; a time without any zone is no time."""
    status, entry = put(shared_stub, "admin", id=key, send_after="2027-01-01T02:00:00.5+02:00")
    assert (status, entry["send_after"]) == (200, "2027-01-01T00:00:00.5Z")
    assert put(shared_stub, "admin", id=key, send_after="2027-01-01T02:00:00") == (500, "sc0010datetimesyntaxinvalid")


@pytest.mark.parametrize("time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
def test_no_time_is_too_far_away(shared_stub: Stub, key: str, time: str) -> None:
    """The ends of the calendar are times like others."""
    status, entry = put(shared_stub, "admin", id=key, send_after=time, sent_at=None)
    assert (status, entry["send_after"]) == (200, time)
    assert (key in ready(shared_stub)) == time.startswith("0")


MAIL = [{"value": "a@example.com"}]


@pytest.mark.parametrize(
    ("role", "body", "answer"),
    [
        ("readwrite", {"send_after": LATER}, DENIED),
        ("readwrite", {"sent_at": None, "send_after": LATER}, DENIED),
        ("readonly", {"sent_at": None}, DENIED),
        ("admin", {"delete_after": LATER}, DENIED),
        ("admin", {"mail_destination": MAIL}, DENIED),
        ("admin", {"class": ["object"]}, DENIED),
        ("admin", {"displayname": "x"}, DENIED),
        ("outsider", {"sent_at": None}, (404, "nomatchingentries")),
        (None, {"sent_at": None}, (401, "notauthenticated")),
        ("expired", {"sent_at": None}, (401, "sessionexpired")),
        ("readwrite", {"colour": "red"}, (400, {"invalidattributename": "colour"})),
        ("outsider", {"colour": "red"}, (400, {"invalidattributename": "colour"})),
        (
            "admin",
            {"message_template": TEMPLATE},
            (400, {"invalidattribute": "Message values are not able to be set."}),
        ),
        ("admin", {"mail_destination": "a@example.com"}, (500, "sc0003mailsyntaxinvalid")),
        ("readwrite", {"sent_at": "yesterday"}, (500, "sc0010datetimesyntaxinvalid")),
        ("readwrite", {"sent_at": 1}, (500, "sc0010datetimesyntaxinvalid")),
        ("admin", {"send_after": None}, (400, {"schemaviolation": {"missingmustattribute": ["send_after"]}})),
        ("readwrite", {}, (400, "emptyrequest")),
    ],
)
def test_what_may_not_be_changed_stays(
    shared_stub: Stub, key: str, role: str | None, body: dict[str, Any], answer: tuple[int, Any]
) -> None:
    """Values are read first, then the entry looked for, then the right to change it."""
    before = shared_stub.messages()
    assert put(shared_stub, role, id=key, **body) == answer
    assert shared_stub.messages() == before


def test_an_unknown_entry_is_not_there(shared_stub: Stub) -> None:
    """404 for an id that nobody has, 403 for the caller's own account."""
    assert put(shared_stub, "readwrite", id=UNKNOWN, sent_at=None) == (404, "nomatchingentries")
    own = shared_stub.request("GET", "/scim/v1/Entry/mail-sender").json()["id"]
    assert put(shared_stub, "readwrite", id=own, displayname="x") == DENIED


def test_a_change_may_ask_what_else_may_be_changed(shared_stub: Stub, key: str) -> None:
    """The parameters of a query may stand in the body; all but `extAccessCheck` are ignored."""
    status, entry = put(shared_stub, "readwrite", id=key, sent_at=None, extAccessCheck=True, attributes="id", count=1)
    assert (status, list(entry)[:4]) == (200, ["schemas", "id", "extAccessCheck", "class"])
    assert entry["extAccessCheck"]["modifyPresent"] == {"Allow": ["sent_at"]}


@pytest.mark.parametrize(
    ("method", "content", "kind", "status"),
    [
        ("PUT", b"{", "application/json", 400),
        ("PUT", b"[]", "application/json", 422),
        ("PUT", b'{"sent_at": null}', "application/json", 422),
        ("PUT", b'{"id": "zzz"}', "application/json", 422),
        ("PUT", b'{"id": NaN}', "application/json", 400),
        ("PUT", b"{}", "text/plain", 415),
        ("POST", b"[" * 100_000, "application/json", 400),
        ("POST", b"1", "application/scim+json", 422),
    ],
)
def test_an_unreadable_change_is_answered_in_text(
    shared_stub: Stub, method: str, content: bytes, kind: str, status: int
) -> None:
    """Before anybody asks who is calling."""
    answer = shared_stub.request(method, ENTRY, None, content=content, headers={"content-type": kind})
    assert answer.status_code == status
    assert answer.headers["content-type"].startswith("text/plain")


WHOLE = {
    "class": ["object", "outbound_message"],
    "send_after": LATER,
    "delete_after": LATER,
    "mail_destination": MAIL,
}
MISSING = {"schemaviolation": {"missingmustattribute": ["message_template"]}}
UNSETTABLE = (400, {"invalidattribute": "Message values are not able to be set."})


@pytest.mark.parametrize(
    ("role", "body", "answer"),
    [
        ("admin", WHOLE | {"message_template": TEMPLATE}, UNSETTABLE),
        ("admin", WHOLE | {"message_template": None}, UNSETTABLE),
        ("outsider", {"message_template": TEMPLATE}, UNSETTABLE),
        ("admin", WHOLE, (400, MISSING)),
        ("readwrite", WHOLE, DENIED),
        ("outsider", WHOLE, DENIED),
        ("admin", {"class": ["object", "group"], "name": "a"}, DENIED),
        ("admin", {"colour": "red"}, (400, {"invalidattributename": "colour"})),
        (None, WHOLE, (401, "notauthenticated")),
    ],
)
def test_nobody_can_make_a_message(
    shared_stub: Stub, role: str | None, body: dict[str, Any], answer: tuple[int, Any]
) -> None:
    """What a message says cannot be given, and without it there is none."""
    response = shared_stub.request("POST", ENTRY, role, json=body)
    assert (response.status_code, response.json()) == answer


def test_a_wrong_method_names_both_right_ones(shared_stub: Stub) -> None:
    """In Kanidm's order, without spaces."""
    answer = shared_stub.request("DELETE", ENTRY)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST,PUT")
