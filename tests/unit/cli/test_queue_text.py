"""What the queue verbs show a person, at 3 a.m. and 100 columns."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mail_sender.cli import queue_text
from mail_sender.control import response
from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.base import Attempt, Delivery, Entry, Imprint
from mail_sender.ledger.states import State
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.limits import Limit
from tests.support.samples import ELLIE, NOW, message

MINUTE = timedelta(minutes=1)
LONG_REPLY = "4.2.0 <e***@example.com>: Recipient address rejected: " + "try again in five minutes " * 5
GREYLISTED = Attempt(NOW - MINUTE, "rcpt", "deferred", 450, LONG_REPLY.strip(), 0.42)
CUT_OFF = Attempt(NOW - MINUTE, "dot", "uncertain", None, "connection lost", 600.0)


def line(state: State, *history: Attempt, **changed: Any) -> response.ResponseLine:
    """Return the line of a delivery, with its whole history."""
    imprint = Imprint("<6f1c.1@example.com>", NOW, "00")
    fields: dict[str, Any] = {
        "next_attempt": NOW + 4 * MINUTE,
        "attempts": len(history),
        "imprint": imprint if history else None,
    }
    sample = message()
    delivery = Delivery(
        sample.id,
        changed.pop("recipient", ELLIE),
        changed.pop("kind", "credential_reset_v1"),
        state,
        send_after=NOW,
        deadline=NOW + 43 * MINUTE,
        **{**fields, **{key: changed.pop(key) for key in list(changed) if key in Delivery.__slots__}},
    )
    entry = Entry(
        1, delivery, NOW - 12 * MINUTE, NOW, changed.get("marked_at"), changed.get("unsent_at"), None, history
    )
    line: response.ResponseLine = response.entry(entry, show_addresses=False, whole=True)["entry"]
    return line


def test_a_row_says_who_what_how_long_and_why() -> None:
    """What does not fit the terminal stands below: a reason that is cut after four characters helps nobody."""
    row, below = queue_text.row(line(State.QUEUED, GREYLISTED), NOW, 100).split("\n")
    assert len(below) == 100
    assert below.endswith("…")
    for part in ("queued", "e***@example.com", "credential_reset_v1 ", "12 min"):
        assert part in row
    assert below.startswith("          in 4 min; 450 4.2.0 <e***@example.com>: Recipient address rejected: try again")
    assert LONG_REPLY.strip() in queue_text.row(line(State.QUEUED, GREYLISTED), NOW)


def test_a_narrow_terminal_goes_without_the_kind_and_shows_the_reason() -> None:
    """80 columns hold all columns, 60 hold the others; no line is wider than the terminal."""
    late = Attempt(NOW - MINUTE, "connect", "relay_down", None, "connection refused", 0.1)
    for width, has_kind in ((80, True), (60, False)):
        lines = [queue_text.header(width), *queue_text.row(line(State.QUEUED, late), NOW, width).split("\n")]
        assert all(len(one) <= width for one in lines)
        assert [("KIND" in lines[0]), ("credential" in lines[1])] == [has_kind, has_kind]
        assert lines[0].index("AGE") + len("AGE") == len(lines[1])
        assert lines[2].strip() == "in 4 min; connect: connection refused"
    fits = queue_text.row(line(State.QUEUED), NOW, 100)
    assert "\n" not in fits
    assert fits.endswith("in 4 min")


def test_columns_stand_under_their_names() -> None:
    """Whatever stands in them."""
    for state in State:
        row = queue_text.row(line(state, recipient=f"{'x' * 60}@example.com", kind="k" * 60), NOW)
        assert row[:8] == line(state)["message_id"][:8]
        assert row[queue_text.header().index("STATUS") :].startswith(state.value)
        assert row[queue_text.header().index("KIND") :].startswith("kkk")


def test_a_row_says_what_the_server_does_not_know() -> None:
    """Sent but not marked, and marked but un-sent again."""
    accepted = Attempt(NOW, "dot", "accepted", 250, "2.0.0 queued", 0.1, "4F2A1")
    assert "not marked as sent; 250" in queue_text.row(line(State.SENT, accepted), NOW)
    assert "not marked as sent" not in queue_text.row(line(State.SENT, accepted, marked_at=NOW), NOW)
    unsent = line(State.SENT, accepted, marked_at=NOW, unsent_at=NOW)
    assert "un-sent on the server" in queue_text.row(unsent, NOW)
    assert "only `queue resend` mails it again" in queue_text.page([unsent], NOW)


def test_a_page_of_a_withdrawn_message_says_what_the_server_did_with_it() -> None:
    """Un-sent later: only `resend` mails it. A copy that could not be made does not hide that the first was sent."""
    unsent = line(State.WITHDRAWN, GREYLISTED, unsent_at=NOW)
    assert "not by us, and un-sent on the server now; only `queue resend` mails it" in queue_text.page([unsent], NOW)
    copy = queue_text.page([line(State.WITHDRAWN, GREYLISTED, copy=1)], NOW)
    assert "The copy was not sent" in copy
    assert "what became of the first one" in copy


def test_what_is_wrong_is_one_sentence() -> None:
    """Who is unusable, since when, why, what to do, and when it is tried again."""
    found = {"kind": "auth", "since": "2026-11-21T11:48:00Z", "message": "535 no; mend it", "next_try_in": 40}
    sentence = "The relay has been unusable for 12 min (auth): 535 no; mend it; next try in 40 s"
    assert queue_text.condition({"name": "relay", **found}, NOW) == sentence


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("server", ServerFaultKind.UNREACHABLE, "Kanidm has been unreachable for 10 s"),
        ("server", ServerFaultKind.TOKEN_REFUSED, "Kanidm has been unusable for 10 s"),
        ("ledger", "SQLITE_FULL", "The ledger has been unusable for 10 s"),
        ("alerts", "url", "Alerts have been undeliverable for 10 s"),
        ("of_another_version", "x", "of_another_version has been at fault for 10 s"),
    ],
)
def test_what_is_wrong_names_who_is_unusable(name: str, kind: str, words: str) -> None:
    """A server that answers, but not as it should, is not called unreachable."""
    since = (NOW - timedelta(seconds=10)).isoformat()
    found = {"name": name, "kind": str(kind), "since": since, "message": "what; cure", "next_try_in": None}
    assert queue_text.condition(found, NOW) == f"{words} ({kind}): what; cure"


def test_a_page_of_what_was_given_up_says_by_whom_and_what_may_have_arrived() -> None:
    """A mail that was accepted once is not said to have been taken by nobody."""
    given_up = Attempt(NOW, "operator", "given up", None, "by hand", 0.0)
    assert "not accept it in any attempt" in queue_text.page([line(State.ABANDONED, GREYLISTED)], NOW)
    assert "An operator gave it up." in queue_text.page([line(State.ABANDONED, given_up)], NOW)
    assert "this copy" in queue_text.page([line(State.ABANDONED, given_up, copy=1)], NOW)
    assert "may have arrived" in queue_text.page([line(State.ABANDONED, given_up, ambiguous=1)], NOW)


@pytest.mark.parametrize("state", State)
def test_a_page_says_what_each_state_means_and_what_to_do_next(state: State) -> None:
    """In 100 columns."""
    page = queue_text.page([line(state, GREYLISTED)], NOW)
    assert f"e***@example.com: {state}" in page
    assert "\n  Next: " in page
    assert max(len(text) for text in page.splitlines()) <= 100


@pytest.mark.parametrize("verdict", ["deferred", "relay_down", "uncertain", "interrupted", "refused"])
def test_a_queued_delivery_says_what_it_waits_for(verdict: str) -> None:
    """By its last attempt, whatever that was."""
    last = Attempt(NOW - MINUTE, "connect", verdict, None, "connection refused", 0.1)
    page = queue_text.page([line(State.QUEUED, last)], NOW)
    assert "next attempt in 4 min" in " ".join(page.split())
    assert max(len(text) for text in page.splitlines()) <= 100


def test_a_page_shows_every_attempt_whole() -> None:
    """When, at which stage, what was said, how long it took; a long reply goes on below itself."""
    page = queue_text.page([line(State.UNKNOWN, GREYLISTED, CUT_OFF, ambiguous=2, copy=1)], NOW)
    words = " ".join(page.split())
    assert f"2026-11-21 11:59:00 rcpt deferred 0.4 s 450 {LONG_REPLY.strip()}" in words
    assert "2026-11-21 11:59:00 dot cut off 600.0 s connection lost" in words
    assert "extra copy 1" in page
    assert "<6f1c.1@example.com>" in page


def test_what_may_have_arrived_is_said_before_anything_else() -> None:
    """Also where a later attempt did not get as far as the dot."""
    down = Attempt(NOW, "connect", "relay_down", None, "connection refused", 0.1)
    assert "may have arrived" in queue_text.page([line(State.QUEUED, CUT_OFF, down, ambiguous=1)], NOW)


def test_control_characters_of_others_are_shown_not_obeyed() -> None:
    """A server's or a relay's text must not write on the operator's terminal."""
    evil = "\x1b[2Jx\n"
    attempt = Attempt(NOW, "rcpt", "deferred", 450, evil, 0.1)
    found = line(State.QUEUED, attempt, recipient=f"{evil}@{evil}", kind=evil)
    shown = queue_text.row(found, NOW) + queue_text.page([found], NOW)
    shown += queue_text.result({"message_id": found["message_id"], "recipient": evil, "message": evil})
    assert "\x1b" not in shown
    assert "\\x1b[2Jx" in shown
    assert "\n" not in queue_text.row(found, NOW)


def test_every_recipient_of_a_message_has_its_part() -> None:
    """Under one head."""
    page = queue_text.page([line(State.SENT), line(State.FAILED, recipient="bob@example.com")], NOW)
    assert page.count("Message ") == 1
    assert "e***@example.com: sent" in page
    assert "b***@example.com: failed" in page


def test_times_are_rfc_3339_in_utc() -> None:
    """In every line that is an object."""
    found = line(State.QUEUED, GREYLISTED)
    assert found["next_attempt_at"] == "2026-11-21T12:04:00.000Z"
    assert datetime.fromisoformat(found["history"][0]["at"]) == GREYLISTED.at.astimezone(UTC)


def test_what_a_limit_holds_back_says_so_with_reason_and_time() -> None:
    """In its row, on its page, and once for all above the list."""
    held = {"limit": "per_minute", "reason": "60 mails a minute", "until": "2026-11-21T12:04:00.000Z"}
    found = {**line(State.QUEUED), "held_back": held}
    assert "held back by per_minute until 2026-11-21 12:04:00 UTC (in 4 min)" in queue_text.row(found, NOW)
    page = " ".join(queue_text.page([found], NOW).split())
    assert "It is held back: 60 mails a minute; next attempt 2026-11-21 12:04:00 UTC (in 4 min)." in page
    assert "`queue flush` lifts no limit" in page
    of_all = response.held_back(HeldBack(Limit.PER_MINUTE, "60 mails a minute", NOW - MINUTE, 9, NOW + MINUTE), NOW)
    sentence = (
        "A limit has held mail back for 60 s (per_minute): 60 mails a minute; 9 deliveries wait; next try in 60 s"
    )
    assert queue_text.condition(of_all["condition"], NOW) == sentence


def test_a_page_names_the_relay_once_or_for_each_attempt_where_they_differ() -> None:
    """Which relay's log has the mail is what an operator asks next."""
    first = replace(GREYLISTED, relay="relay.example.com:465")
    second = replace(GREYLISTED, relay="second.example.net:465")
    page = queue_text.page([line(State.QUEUED, first, first)], NOW)
    assert page.count("relay.example.com:465") == 1
    assert "\n  relay        relay.example.com:465\n" in page
    page = " ".join(queue_text.page([line(State.QUEUED, first, second)], NOW).split())
    assert "(through relay.example.com:465)" in page
    assert "(through second.example.net:465)" in page
    assert "\n  relay " not in queue_text.page([line(State.QUEUED, GREYLISTED)], NOW)
