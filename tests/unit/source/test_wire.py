"""Kanidm's JSON is read entry by entry: good ones whole, odd ones named without what they hold."""

import json
import re
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.message import (
    Content,
    CredentialReset,
    IntentId,
    Listing,
    Message,
    OddEntry,
    TestMessage,
    UnknownContent,
)
from mail_sender.source import wire
from mail_sender.source.decoding import UNREADABLE
from tests.support.samples import NOW

CAPTURES = json.loads((Path(__file__).parents[2] / "wire" / "captures.json").read_text())
ID = "8429a88c-942c-4e2b-a54f-899fe727feed"
SECRET = "d1c2s-tuyyh-kcpx2-zhfqx"
EXPIRY = 1_795_220_111


def resources(capture: dict[str, Any]) -> list[Any] | None:
    """Return the entries that a capture's answer holds: of a list, or the one that was asked for."""
    answer = capture["response"].get("json")
    if not isinstance(answer, dict):
        return None
    if isinstance(answer.get("resources"), list):
        entries: list[Any] = answer["resources"]
        return entries
    return [answer] if "message_template" in answer else None


MESSAGES = [
    capture
    for capture in CAPTURES
    if capture["request"]["path"].startswith("/scim/v1/Message") and capture["response"]["status"] == 200
]
LISTS = [capture for capture in MESSAGES if resources(capture) is not None]
assert len(LISTS) >= 5


def raw(**changes: object) -> dict[str, object]:
    """Return an entry as a server sends it, with changes; what is ... is left out."""
    entry = {
        "schemas": [],
        "id": ID,
        "class": ["object", "outbound_message"],
        "delete_after": "2026-11-27T23:15:11.644116431Z",
        "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
        "message_template": {
            "CredentialResetV1": {"display_name": "Ellie", "intent_id": SECRET, "expiry_time": EXPIRY}
        },
        "send_after": "2026-11-20T23:15:11.644116431Z",
        **changes,
    }
    return {key: value for key, value in entry.items() if value is not ...}


def template(tag: str = "CredentialResetV1", **changes: object) -> dict[str, object]:
    """Return an entry whose template has changes; what is ... is left out."""
    fields = {"display_name": "Ellie", "intent_id": SECRET, "expiry_time": EXPIRY, **changes}
    return raw(message_template={tag: {key: value for key, value in fields.items() if value is not ...}})


def read(entries: Sequence[object], now: datetime | None = NOW) -> Listing:
    """Return the listing of a list of one page."""
    reading = wire.Reading(now)
    for entry in entries:
        reading.take(entry)
    return reading.listing()


def one(entry: object) -> Message:
    """Return the message of an entry that is to be sent now."""
    listing = read([entry])
    assert listing.odd == ()
    (message,) = listing.messages
    return message


def odd(entry: object) -> OddEntry:
    """Return what is said of an entry that cannot be read."""
    listing = read([entry], NOW)
    assert listing.messages == ()
    (found,) = listing.odd
    return found


def content(tag: str, fields: dict[str, Any]) -> Content:
    """Return what a captured template means, read here once more."""
    if tag == "TestMessageV1":
        return TestMessage(fields["display_name"])
    expires_at = datetime.fromtimestamp(fields["expiry_time"], UTC)
    return CredentialReset(fields["display_name"], IntentId(fields["intent_id"]), expires_at)


@pytest.mark.parametrize("capture", LISTS, ids=lambda capture: capture["name"])
def test_every_captured_answer_decodes(capture: dict[str, Any]) -> None:
    """No entry of a real server is odd; what is unsent and due by then is a message with all that stands there."""
    entries = resources(capture)
    assert entries is not None
    listing = read(entries, datetime(2026, 12, 1, tzinfo=UTC))
    full = [entry for entry in entries if {"message_template", "send_after", "delete_after"} <= entry.keys()]
    assert len(listing.odd) == len(entries) - len(full)
    assert {str(message.id) for message in listing.messages} == {
        entry["id"] for entry in full if "sent_at" not in entry
    }
    for message in listing.messages:
        entry = next(entry for entry in entries if entry["id"] == str(message.id))
        assert message.send_after == datetime.fromisoformat(entry["send_after"])
        assert message.recipients == tuple(place["value"] for place in entry["mail_destination"])
        ((tag, fields),) = entry["message_template"].items()
        assert message.content == content(tag, fields)


def test_an_entry_becomes_a_message() -> None:
    """Every field that matters arrives, times aware and in UTC."""
    message = one(raw())
    assert message == Message(
        UUID(ID),
        datetime(2026, 11, 20, 23, 15, 11, 644116, tzinfo=UTC),
        datetime(2026, 11, 27, 23, 15, 11, 644116, tzinfo=UTC),
        ("ellie@example.com",),
        CredentialReset("Ellie", IntentId(SECRET), datetime.fromtimestamp(EXPIRY, UTC)),
    )
    assert message.send_after.utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    "text", ["2026-11-20T23:15:11Z", "2026-11-20T23:15:11.6Z", "2026-11-20T23:15:11.644116Z",
             "2026-11-20T23:15:11.644116431Z", "2026-11-21T01:15:11.644116431+02:00"],
)  # fmt: skip
def test_times_have_up_to_nine_digits_after_the_second(text: str) -> None:
    """From none to nanoseconds, which are cut to microseconds; another offset is the same time."""
    time = one(raw(send_after=text)).send_after
    assert time.replace(microsecond=0) == datetime(2026, 11, 20, 23, 15, 11, tzinfo=UTC)
    assert time.microsecond in {0, 600_000, 644_116}


def test_each_mailbox_is_one_recipient_in_its_order() -> None:
    """Domains know no case (RFC 5321, section 2.4), and an envelope has them in ASCII; whichever is primary."""
    ways = ("ellie@münchen.example", "ellie@MÜNCHEN.example", "ellie@xn--mnchen-3ya.example", "Ellie@münchen.example",
            "b@example.com", "a@example.com", "b@example.com", "not an address")  # fmt: skip
    entry = raw(mail_destination=[{"primary": way == "a@example.com", "value": way} for way in ways])
    assert one(entry).recipients == (ways[0], ways[3], "b@example.com", "a@example.com", "not an address")


def test_unknown_keys_are_ignored_everywhere() -> None:
    """A newer server may say more."""
    entry = template(priority=5) | {"x": {"y": []}, "mail_destination": [{"value": "a@b", "kind": "home"}]}
    assert one(entry).content == one(raw()).content


def test_only_what_is_unsent_and_due_is_listed() -> None:
    """The long list shows what is sent or held back as well: neither is ready, `send_after` itself included."""
    now = NOW.isoformat()
    for changes in ({"sent_at": now}, {"send_after": now}, {"send_after": "2999-01-01T00:00:00Z"}):
        assert read([raw(**changes)], NOW).messages == ()
    just_before = (NOW - timedelta(microseconds=1)).isoformat()
    assert one(raw(sent_at=None, send_after=just_before)).id == UUID(ID)


def test_messages_come_oldest_first_and_each_once() -> None:
    """Pages that overlap make no copies, and the order is that of `send_after`."""
    times = {3: "2026-11-20T03:00:00Z", 1: "2026-11-20T01:00:00Z", 2: "2026-11-20T02:00:00Z"}
    entries = [raw(id=str(UUID(int=number)), send_after=time) for number, time in times.items()]
    listing = read([*entries, *entries[:2]], NOW)
    assert [message.id.int for message in listing.messages] == [1, 2, 3]


@pytest.mark.parametrize(
    ("tag", "kind"),
    [("AccountExpiryV1", "account_expiry_v1"), ("TestMessageV2", "test_message_v2"), ("X", "x"),
     ("credentialresetv1", "a_name_that_is_none"), ("Two Words", "a_name_that_is_none"),
     ("Evil\r\nBcc", "a_name_that_is_none"), ("X" * 65, "a_name_that_is_none"), ("", "a_name_that_is_none")],
)  # fmt: skip
def test_an_unknown_template_is_a_value(tag: str, kind: str) -> None:
    """It is named in snake case, with its fields, whatever they are; a tag that is no name is not repeated."""
    for fields in ({}, {"display_name": 5, "secret": SECRET}):
        known = fields if kind != "a_name_that_is_none" else {}
        assert one(raw(message_template={tag: fields})).content == UnknownContent(kind, known)
        assert SECRET not in repr(one(raw(message_template={tag: fields})))


ODD: dict[str, object] = {
    "not decoded": UNREADABLE, "null": None, "list": [], "empty": {}, "no id": raw(id=...), "bad id": raw(id="not-a-uuid"),
    "no send_after": raw(send_after=...), "naive send_after": raw(send_after="2026-11-20T23:15:11"),
    "bad delete_after": raw(delete_after=[]), "bad sent_at": raw(sent_at="x"),
    "no destination": raw(mail_destination=...), "empty destinations": raw(mail_destination=[]),
    "destination without value": raw(mail_destination=[{"primary": True}]),
    "empty destination": raw(mail_destination=[{"value": ""}]),
    "bad destinations": raw(mail_destination=[{"value": ""}, {"value": 5}, None, "a@b", [], {"value": "\ud800@b"}]),
    "no template": raw(message_template=...), "empty template": raw(message_template={}),
    "two templates": raw(message_template={"TestMessageV1": {}, "CredentialResetV1": {}}),
    "template of nothing": raw(message_template={"TestMessageV1": None}),
    "no display name": template(display_name=...), "no intent id": template(intent_id=...),
    "empty intent id": template(intent_id=""), "intent id is no text": template(intent_id="\ud800"),
    "no expiry": template(expiry_time=...), "expiry is a float": template(expiry_time=1795220111.5),
    "expiry is text": template(expiry_time="2026-11-21T12:00:00Z"), "expiry is true": template(expiry_time=True),
    "expiry is negative": template(expiry_time=-1), "expiry beyond the calendar": template(expiry_time=10**18),
    "expiry is not finite": template(expiry_time=float("inf")),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD)
def test_an_odd_entry_is_set_aside_and_the_good_ones_beside_it_are_read(name: str) -> None:
    """What cannot be read is named once by its id, where it has one that is one, and hides no other entry."""
    good = raw(id=str(UUID(int=7)))
    listing = read([good, ODD[name], good], NOW)
    assert [message.id for message in listing.messages] == [UUID(int=7)]
    (found,) = listing.odd
    entry = ODD[name]
    known = isinstance(entry, dict) and name not in {"no id", "bad id", "empty"}
    expected = entry["id"] if isinstance(entry, dict) and known else "(without an id)"
    assert found.id == expected
    assert found.problem.startswith("cannot be read: ")


def test_the_place_of_a_fault_is_told() -> None:
    """Field and kind of fault, for up to three faults."""
    assert odd(raw(send_after="x", id=5)).problem.count("(") == 2
    assert "expiry_time (int_type)" in odd(template(expiry_time=1.5)).problem
    assert "mail_destination.0 (missing)" in odd(raw(mail_destination=[{}])).problem
    assert odd({}).problem.count("(") == 3


@pytest.mark.parametrize("name", ["x\r\nevil", "\x1b[2J", "", "x" * 1000, "\u202eevil"])
def test_a_name_of_an_odd_entry_is_short_and_printable(name: str) -> None:
    """An id that is none cannot fill or bend the log."""
    found = odd(raw(id=name))
    assert len(found.id) <= 64
    assert found.id.isprintable()


HIDDEN = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40).map("S3cr3t".__add__)
BROKEN: dict[str, Callable[[str], object]] = {
    "intent id": lambda secret: template(intent_id=[secret]),
    "display name": lambda secret: template(display_name=[secret]),
    "expiry": lambda secret: template(expiry_time=secret),
    "destination": lambda secret: raw(mail_destination=[{secret: secret}]),
    "tag": lambda secret: raw(message_template={secret: secret}),
    "template": lambda secret: raw(message_template=[secret]),
    "send_after": lambda secret: raw(send_after=secret),
    "sent_at": lambda secret: raw(sent_at=secret),
    "key": lambda secret: {secret: secret},
    "id": lambda secret: raw(id=[secret]),
}


@given(HIDDEN, st.sampled_from(sorted(BROKEN)), st.booleans())
def test_what_is_said_of_an_odd_entry_never_holds_what_stood_there(secret: str, place: str, more: bool) -> None:
    """Neither values nor keys that the entry brought along, since each may be an intent id."""
    entry = BROKEN[place](secret)
    found = odd({**entry, "delete_after": secret} if more and isinstance(entry, dict) else entry)
    assert secret not in found.problem
    assert secret not in found.id


@given(
    st.recursive(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=10)),
        lambda children: st.one_of(
            st.lists(children, max_size=3),
            st.dictionaries(st.sampled_from([*raw(), "value", "TestMessageV1", "x"]), children, max_size=4),
        ),
        max_leaves=12,
    )
)
def test_no_json_crashes_the_reader(entry: object) -> None:
    """Any JSON at all is read or set aside, beside a good entry."""
    listing = read([entry, raw()], NOW)
    assert UUID(ID) in {message.id for message in listing.messages}


# One strange recipient beside a good one

STRANGE = [{"value": ""}, {"value": None}, {"value": 5}, {"value": ["a@b"]}, {}, None, "a@b", {"value": "\ud800@b"}]


@pytest.mark.parametrize("strange", STRANGE, ids=repr)
def test_a_recipient_that_cannot_be_read_takes_no_mail_from_the_others(strange: object) -> None:
    """The good ones get theirs, and the other is named by its place; whoever reads the message by its id sees the same."""
    entry = raw(mail_destination=[strange, {"value": "a@example.com"}, strange, {"value": "b@example.com"}])
    listing = read([entry])
    (message,) = listing.messages
    assert message.recipients == ("a@example.com", "b@example.com")
    (found,) = listing.odd
    assert (found.id, found.partly) == (ID, True)
    assert re.fullmatch(
        r"mail_destination\.0 \(\w+\), mail_destination\.2 \(\w+\): no mail can go to this recipient", found.problem
    )
    assert wire.found(entry, UUID(ID)).message == message


def test_the_answer_about_another_message_is_not_taken_for_this_one() -> None:
    """A cache that mixes answers up would have somebody mailed another one's link."""
    with pytest.raises(wire.Unread):
        wire.found(raw(), UUID(int=7))


# Very many


def test_of_very_many_odd_entries_a_thousand_are_kept_and_the_others_counted() -> None:
    """Whatever is wrong with them, with an id or without; a good one among them is read."""
    odd = [raw(id=str(UUID(int=number)), send_after="x") for number in range(600)]
    odd += [{"id": f"odd {number}"} for number in range(600)]
    listing = read([*odd, {}, raw(), {}, raw(id=5), *odd[:300]])
    assert [message.id for message in listing.messages] == [UUID(ID)]
    assert len(listing.odd) == wire.MOST_ODD
    assert listing.more_odd == 1_200 - wire.MOST_ODD + 3


def test_what_has_no_id_is_kept_once_and_counted() -> None:
    """Half a million of them are one line of the log."""
    listing = read([{}] * 1_000)
    assert (len(listing.odd), listing.more_odd) == (1, 999)


def test_a_hundred_thousand_odd_entries_are_passed_over_fast() -> None:
    """Without a model's whole report on each: a fraction of a microsecond's work, not many."""
    began = time.process_time()
    reading = wire.Reading()
    for _ in range(100_000):
        reading.take({})
    assert reading.listing().more_odd == 99_999
    assert time.process_time() - began < 0.6


def test_more_messages_than_a_server_can_list_are_left_for_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Memory has an end, and what was mailed makes room."""
    monkeypatch.setattr(wire, "MOST_MESSAGES", 3)
    listing = read([raw(id=str(UUID(int=number))) for number in range(5)] * 2)
    assert [message.id.int for message in listing.messages] == [0, 1, 2]


def test_what_the_server_calls_due_is_due_and_says_how_late_it_is_at_least() -> None:
    """`_ready` has left out what is held back: our own clock, which may be wrong, has no say."""
    later = "2026-11-21T14:00:00Z"
    listing = read([raw(), raw(id=str(UUID(int=7)), send_after=later)], None)
    assert len(listing.messages) == 2
    assert listing.newest == datetime.fromisoformat(later)
    assert read([raw()], NOW).newest is None
