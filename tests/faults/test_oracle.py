"""The oracle can say no: each invariant, on logs written by hand in which it is broken, and on the same ones mended."""

import base64
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mail_sender.ledger.base import Delivery, Entry
from mail_sender.ledger.states import State
from tests.faults import oracle
from tests.faults.oracle import Evidence, Invariant, Queued, RunOfTestMail
from tests.faults.rig_api import Call
from tests.faults.rig_record import Connection, Heard, Mail, Said

NOW = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
ID, OTHER = UUID(int=1), UUID(int=2)
ELLIE, BOB = "ellie@example.com", "bob@example.com"
MAIL = Mail(NOW, 1, "idm@example.com", ELLIE, f"<{ID}@example.com>", "digest", heard=Heard.YES)
QUEUED = Queued(ID, (ELLIE,), NOW + timedelta(hours=1))
MARK = Call(after := NOW + timedelta(seconds=1), "POST", f"/scim/v1/Message/{ID}/_sent", 200, ID)


def row(state: State = State.SENT, ambiguous: int = 0, recipient: str = ELLIE) -> Entry:
    """Return a row of the ledger, marked where it is sent."""
    delivery = Delivery(ID, recipient, "test_message_v1", state, NOW, NOW, NOW, ambiguous=ambiguous)
    return Entry(1, delivery, NOW, NOW, after if state is State.SENT else None, None, None)


def connection(number: int = 1, seconds: float = 0, clear: bytes = b"", *said: str) -> Connection:
    """Return a connection so long after the start, on which commands were said and nobody logged in."""
    at = NOW + timedelta(seconds=seconds)
    commands = [Said(at, line.split()[0], line.encode()) for line in said]
    return Connection(number, at, 1024 + number, clear=clear, commands=commands, ended=at)


GOOD = Evidence(
    queued=(QUEUED,),
    connections=(connection(1, 0, b"EHLO client.example\r\nSTARTTLS\r\n"),),
    mails=(MAIL,),
    calls=(MARK,),
    sent_at={ID: "2026-11-21T12:00:01Z"},
    rows=(row(),),
    texts={"log": b"nothing of interest"},
    secrets=("a-secret-word",),
    login=("user", "a-password"),
    test_mails=(RunOfTestMail(0, accepted=True), RunOfTestMail(75, accepted=False)),
)
COPY = replace(MAIL, at=NOW + timedelta(milliseconds=500))
BAD: list[tuple[str, Invariant, Evidence]] = [
    ("a copy at another relay", oracle.of_one_relay, replace(GOOD, mails=(MAIL, COPY), of_fallback=(COPY,))),
    ("lost", oracle.nothing_lost, replace(GOOD, mails=())),
    ("a copy without a cut", oracle.few_copies, replace(GOOD, mails=(MAIL, COPY))),
    (
        "three copies with two cuts",
        oracle.few_copies,
        replace(GOOD, mails=(replace(MAIL, heard=Heard.NO), replace(COPY, heard=Heard.NO), COPY)),
    ),
    (
        "an excused copy where exactly one is due",
        oracle.few_copies,
        replace(GOOD, mails=(replace(MAIL, heard=Heard.NO), COPY), exactly_once=True),
    ),
    ("another mail as the copy", oracle.same_copies, replace(GOOD, mails=(MAIL, replace(COPY, digest="other")))),
    ("a mark without a mail", oracle.true_marks, replace(GOOD, mails=())),
    ("a mark before the mail", oracle.true_marks, replace(GOOD, calls=(replace(MARK, at=NOW - timedelta(1)),))),
    ("a mail after the mark", oracle.true_marks, replace(GOOD, mails=(MAIL, replace(COPY, at=NOW + timedelta(1))))),
    ("a mark while one is queued", oracle.true_marks, replace(GOOD, rows=(row(), row(State.QUEUED, 0, BOB)))),
    (
        "a dead one offered again",
        oracle.dead_stay_dead,
        replace(GOOD, rows=(row(State.FAILED),), connections=(connection(1, 60, b"", f"RCPT TO:<{ELLIE}>"),)),
    ),
    (
        "a login in clear",
        oracle.nothing_in_clear,
        replace(GOOD, connections=(connection(1, 0, b"AUTH PLAIN x\r\n"),)),
    ),
    ("a mail in clear", oracle.nothing_in_clear, replace(GOOD, connections=(connection(1, 0, b"EHLO x\r\nMAIL"),))),
    ("a secret in the log", oracle.no_secrets, replace(GOOD, texts={"log": b"see a-secret-word there"})),
    (
        "a secret in base64",
        oracle.no_secrets,
        replace(GOOD, texts={"log": base64.b64encode(b"it is: a-secret-word, you know")}),
    ),
    (
        "a login in base64",
        oracle.no_secrets,
        replace(GOOD, texts={"log": base64.b64encode(b"\0user\0a-password")}),
    ),
    (
        "a good one behind three tries of a bad one",
        oracle.no_hostages,
        replace(
            GOOD,
            queued=(QUEUED, Queued(OTHER, (BOB,), QUEUED.deadline)),
            aimed=frozenset({OTHER}),
            connections=tuple(connection(number, -number, b"", f"RCPT TO:<{BOB}>") for number in (1, 2, 3)),
        ),
    ),
    ("a dead relay tried at once", oracle.patient, replace(GOOD, connections=(connection(1, 0), connection(2, 1)))),
    (
        "a refused login tried after 30 s",
        oracle.patient,
        replace(GOOD, connections=(connection(1, 0, b"", "AUTH PLAIN x"), connection(2, 30, b"", "AUTH PLAIN x"))),
    ),
    ("a mail of which the ledger does not know", oracle.ledger_agrees, replace(GOOD, rows=(row(State.QUEUED),))),
    ("a mail of which only the ledger knows", oracle.ledger_agrees, replace(GOOD, mails=())),
    (
        "a cut of which the ledger does not know",
        oracle.ledger_agrees,
        replace(GOOD, mails=(replace(MAIL, heard=Heard.NO),)),
    ),
    (
        "a cut at a dot that it never came to",
        oracle.ledger_agrees,
        replace(GOOD, rows=(row(ambiguous=1),), dots={(ID, ELLIE): 1}),
    ),
    ("a mark of which only the ledger knows", oracle.ledger_agrees, replace(GOOD, sent_at={ID: None})),
    ("no row", oracle.ledger_agrees, replace(GOOD, rows=())),
    ("a mail after its deadline", oracle.nothing_late, replace(GOOD, mails=(replace(MAIL, at=NOW + timedelta(1)),))),
    ("a 0 for nothing", oracle.honest_exits, replace(GOOD, test_mails=(RunOfTestMail(0, accepted=False),))),
    (
        "a 75 for a mail that went out",
        oracle.honest_exits,
        replace(GOOD, test_mails=(RunOfTestMail(75, accepted=True),)),
    ),
]


def breaches(invariant: Invariant, evidence: Evidence) -> Iterator[str]:
    """Yield what an invariant finds."""
    return (found for found in invariant(evidence) if found is not None)


@pytest.mark.parametrize("name", oracle.INVARIANTS)
def test_good_logs_pass(name: str) -> None:
    """An invariant that always says no would be useless, too."""
    assert list(breaches(oracle.INVARIANTS[name], GOOD)) == []


@pytest.mark.parametrize(("invariant", "evidence"), [each[1:] for each in BAD], ids=[each[0] for each in BAD])
def test_bad_logs_do_not_pass(invariant: Invariant, evidence: Evidence) -> None:
    """Each way to break an invariant is found."""
    assert list(breaches(invariant, evidence))


def test_every_invariant_has_been_seen_to_fail() -> None:
    """What cannot fail proves nothing."""
    assert {invariant for _, invariant, _ in BAD} == set(oracle.INVARIANTS.values())


def test_a_copy_that_a_cut_excuses_passes() -> None:
    """One cut between the dot and its reply allows one more, the same."""
    evidence = replace(GOOD, mails=(replace(MAIL, heard=Heard.NO), COPY), rows=(row(ambiguous=1),))
    assert not [found for check in oracle.INVARIANTS.values() for found in breaches(check, evidence)]
