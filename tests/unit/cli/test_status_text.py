"""The screen of the status: pure text, of which a person sees the headline first."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any

from mail_sender.cli import status_text
from mail_sender.cli.status_output import exit_code
from mail_sender.errors import Exit
from mail_sender.observe.status import (
    ConditionStatus,
    Expiry,
    FailingDomain,
    HeldBack,
    LedgerStatus,
    QueueStatus,
    Status,
)
from tests.support.samples import DAY, HOUR, MINUTE, NOW, SECOND
from tests.support.statuses import replicas
from tests.unit.observe.test_compose import STANDS_IN, of

GB = 10**9


def screen(status: Status, width: int = 80) -> str:
    """Return the screen as text."""
    return "\n".join(status_text.screen(status, width))


def relay_down(**changes: object) -> ConditionStatus:
    """Return the condition of a relay that refuses the login."""
    values: dict[str, Any] = {
        "name": "relay",
        "kind": "login",
        "since": NOW - 12 * MINUTE,
        "detail": "auth: the relay refuses the login",
        "advice": "correct mail_username and mail_password",
        "blocks": True,
        "next_try_in_seconds": 240.0,
    }
    return ConditionStatus(**{**values, **changes})


USUAL = replace(
    of(),
    ledger=LedgerStatus(
        kind="sqlite", place="/var/lib/mail-sender/ledger.db", size_bytes=52_300_000, free_bytes=13 * GB
    ),
)


def test_a_normal_system_fits_one_screen() -> None:
    """80 columns, 24 lines; every fact that an operator asks for has its line."""
    assert (
        screen(USUAL)
        == """\
mail flows
sender     ready; runs for 24 h, since 2026-11-20 12:00:00 UTC
           mail-sender 1.0, process 7 on host
server     https://idm.example.com: last poll never, next in 1 s; 5 ready
relay      relay.example.com:465 (TLS, login): breaker closed; 1 of 4 in flight
ledger     /var/lib/mail-sender/ledger.db: 52.3 MB, 13.0 GB free
queue      1 processing, 2 sent, 3 failed, 4 abandoned, 5 expired, 6 withdrawn,
           7 unknown; 2 to be marked as sent on the server
waiting    the oldest for 60 min, since 2026-11-21 11:00:00 UTC
accepted   last 2026-11-21 11:59:00 UTC (60 s ago)
attempts   last hour: 3 accepted, 1 deferred
           last day: 3 accepted, 5 deferred
failing    slow.example (1 failed, 2 tried again)
expires    token SOON in 24 h (2026-11-22)"""
    )


def test_what_stands_in_the_way_comes_first_with_its_cure() -> None:
    """One condition gives the headline; since when, why, what to do and when it is tried again follow."""
    found = replace(USUAL, healthy=False, conditions=[relay_down()])
    assert status_text.screen(found)[:5] == [
        "mail waits: the relay cannot be used",
        "  relay (login) for 12 min, since 2026-11-21 11:48:00 UTC: auth: the relay",
        "    refuses the login",
        "    do: correct mail_username and mail_password; next try in 4 min",
        "sender     ready; runs for 24 h, since 2026-11-20 12:00:00 UTC",
    ]
    clock = relay_down(name="clock", blocks=False, next_try_in_seconds=None)
    assert status_text.screen(replace(USUAL, conditions=[clock]))[0] == "mail flows"
    both = replace(found, conditions=[relay_down(name="server"), relay_down(), clock])
    assert status_text.screen(both)[0] == "mail waits: the identity server cannot be used, and 1 more"


def test_what_servers_wrote_is_shown_and_not_obeyed() -> None:
    """A control character in a reply moves no cursor."""
    found = replace(USUAL, conditions=[relay_down(detail="550 \x1b[2J no")])
    assert "\x1b" not in screen(found)
    assert "550" in screen(found)


def test_without_a_sender_the_ledger_says_what_it_can() -> None:
    """And nothing is said of server and relay; a ledger that hangs or is not there has its words."""
    alone = replace(USUAL, sender=None, server=None, relay=None, healthy=False)
    assert status_text.screen(alone)[:3] == [
        "no sender runs: mail waits until one starts",
        "sender     none answers; the ledger shows the rest",
        "ledger     /var/lib/mail-sender/ledger.db: 52.3 MB, 13.0 GB free",
    ]
    hangs = replace(alone, unanswered="process 7 on host (it takes too long)")
    assert status_text.screen(hangs)[0] == "a sender does not answer: process 7 on host (it takes too long)"
    no_file = LedgerStatus(kind="sqlite", place="/x/ledger.db", size_bytes=0, free_bytes=GB)
    none = replace(alone, ledger=no_file, queue=None, attempts=None)
    assert "/x/ledger.db: there is none" in screen(none)
    assert "none answers; more is not known" in screen(none)
    memory = LedgerStatus(kind="memory", place=None, size_bytes=None, free_bytes=None)
    assert "in memory: what was sent is forgotten" in screen(replace(alone, ledger=memory))


def test_a_poll_that_is_late_is_not_the_next_one() -> None:
    """A server that does not answer keeps the next poll waiting: "next 12 s ago" would make no sense."""
    assert USUAL.server is not None
    late = replace(USUAL.server, next_poll_at=NOW - 12 * SECOND)
    assert ", next was due 12 s ago; 5 ready" in screen(replace(USUAL, server=late), 200)


def test_the_rarer_facts_have_their_words() -> None:
    """A breaker that opened, a slow pace, entries that cannot be read, what is held back, what has expired."""
    assert USUAL.relay is not None
    assert USUAL.server is not None
    relay = replace(
        USUAL.relay,
        breaker="open",
        breaker_since=NOW - MINUTE,
        between_seconds=1.5,
        token_expires_at=NOW + HOUR,
    )
    server = replace(USUAL.server, malformed=2, last_poll_at=NOW - SECOND, last_good_poll_at=NOW - HOUR)
    text = screen(
        replace(
            USUAL,
            relay=relay,
            server=server,
            queue=QueueStatus(states={}, kinds={}, unmarked=0, oldest_waiting_at=None, last_accepted_at=None),
            failing_domains=[FailingDomain(domain="a.example", failed=0, deferred=4)],
            expiries=[
                Expiry(name="relay_certificate", expires_at=NOW - DAY),
                Expiry(name="token", expires_at=NOW + timedelta(days=30)),
            ],
            held_back=[HeldBack(reason="per_minute", deliveries=3, until=NOW + MINUTE)],
        ),
        200,
    )
    for words in (
        "login by a token until 2026-11-21 13:00:00 UTC (in 60 min)",
        "breaker open since 2026-11-21 11:59:00 UTC (60 s ago); 1 of 4 in flight, 1.5 s between two mails",
        "last poll 1 s ago, last good poll 60 min ago",
        "5 ready, 2 cannot be read",
        "queue      no deliveries",
        "waiting    nothing waits",
        "accepted   last never, as far as the ledger goes back",
        "a.example (4 tried again)",
        "relay's certificate: EXPIRED 2026-11-20 12:00:00 UTC, token in 30 d (2026-12-21)",
        "held back  3 (per_minute) until 2026-11-21 12:01:00 UTC (in 60 s)",
    ):
        assert words in text, words
    folder = replace(relay, security="folder", place="/tmp/mails")
    assert "the folder /tmp/mails: a dry run" in screen(replace(USUAL, relay=folder))


def test_the_exit_code_says_the_same() -> None:
    """0 all is well, 1 something is in the way or the sender does not answer, 3 no sender runs."""
    down = replace(USUAL, healthy=False)
    alone = replace(down, sender=None)
    hangs = replace(alone, unanswered="process 7")
    assert [exit_code(one) for one in (USUAL, down, hangs, alone)] == [
        Exit.DONE,
        Exit.FAILED,
        Exit.FAILED,
        Exit.NO_SENDER,
    ]


def test_a_screen_has_a_line_for_each_relay() -> None:
    """And says which one mail goes through."""
    text = screen(of(STANDS_IN), 200)
    assert text.startswith("mail flows through the fallback b.example.net:465: the relay cannot be used\n")
    assert re.search(r"(?m)^relay      relay\.example\.com:465 .*breaker open", text)
    assert re.search(r"(?m)^fallback   b\.example\.net:465 .*breaker closed.*; mail goes through it$", text)


SHARED = replace(
    USUAL,
    ledger=LedgerStatus(kind="postgresql", place="PostgreSQL at db, database mail", size_bytes=None, free_bytes=None),
)


def senders(*hosts: str, **changes: Any) -> list[str]:
    """Return the lines about the senders; `changes` are the last one's."""
    *rest, last = replicas(*hosts, answers=None)
    found = screen(replace(SHARED, replicas=[*rest, replace(last, **changes)])).splitlines()
    begins = next(number for number, line in enumerate(found) if line.startswith("senders"))
    assert found[begins + len(hosts)].startswith("server")
    return found[begins : begins + len(hosts)]


def test_each_sender_that_shares_the_ledger_has_a_line() -> None:
    """Whatever their number; what is odd about one stands out, and processes are named where hosts do not tell them apart."""
    assert senders("idm-a") == ["senders    idm-a  1.2.3  for 3 h, polls"]
    assert senders("idm-a", "idm-long", "idm-a", carries=False, seen_at=NOW - 12 * SECOND, answers=True) == [
        "senders    idm-a (7)  1.2.3  for 3 h, polls",
        "           idm-long   1.2.3  for 4 h",
        "           idm-a (9)  1.2.3  for 5 h, seen 12 s ago, CANNOT MAIL, answers here",
    ]
    assert len(senders(*(f"mail-sender-7f9c8d5b6c-x2xz{number}" for number in range(9)))) == 9
    assert "ledger     PostgreSQL at db, database mail\n" in screen(SHARED)


def test_of_senders_that_run_elsewhere_the_first_line_tells() -> None:
    """And the exit code: all well, none of them can mail, none lives."""
    alone = replace(SHARED, sender=None, answered_by="ledger", server=None, relay=None)
    three = replicas("idm-a", "idm-b", "idm-c", answers=None)
    well = replace(alone, replicas=three)
    assert screen(well).startswith(
        "mail flows: 3 senders run elsewhere\nsender     none answers here; the ledger shows the rest\nsenders    idm-a "
    )
    ill = replace(alone, healthy=False, replicas=[replace(one, carries=False) for one in three[:1]])
    assert screen(ill).startswith("mail waits: no sender can mail now")
    none = replace(alone, healthy=False)
    assert screen(none).startswith("no sender runs: mail waits until one starts\nsender     none answers; ")
    assert [exit_code(one) for one in (well, ill, none)] == [Exit.DONE, Exit.FAILED, Exit.NO_SENDER]


def test_one_that_follows_says_who_polls() -> None:
    """And nothing of polls that are not its own."""
    first, second = replicas("idm-a", "idm-b", answers=1)
    assert USUAL.server
    both = replace(SHARED, server=replace(USUAL.server, last_good_poll_at=NOW - 3 * SECOND))
    found = screen(replace(both, replicas=[first, second]))
    assert re.search(r"idm.example.com: last reached 3 s ago; the sender on idm-a\s+polls for all\n", found)
    assert "ready" not in found.partition("server")[2].partition("relay")[0]
    assert "no sender polls now" in screen(replace(both, replicas=[replace(first, polls=False), second]))
    assert "last reached" not in screen(replace(both, replicas=replicas("idm-a", "idm-b")))
