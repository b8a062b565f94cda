"""What an operator may ask of every ledger: histories, lists in pages, and queries."""

from dataclasses import replace
from typing import Any

from mail_sender.ledger.base import Attempt, Ledger, Query
from mail_sender.ledger.moves import MOST_ATTEMPTS_KEPT
from mail_sender.ledger.states import State
from tests.contract.ledgers import admit, become, of_one, outcome
from tests.support.samples import ELLIE, MINUTE, NOW, SECOND, B, message


def attempt(number: int, **rest: Any) -> Attempt:
    """Return a line of history."""
    values = {
        "at": NOW + number * SECOND,
        "stage": "rcpt",
        "verdict": "deferred",
        "code": 450,
        "reply": f"no. {number}",
        "seconds": 0.25,
    }
    return Attempt(**{**values, **rest})


async def test_a_history_is_told_oldest_first_with_the_relays_name_for_the_mail(ledger: Ledger) -> None:
    """All that was written of each attempt, and of the delivery when it was admitted and changed."""
    of = message()
    await admit(ledger, of)
    first, last = attempt(1), attempt(2, stage="dot", verdict="accepted", code=None, reply="é\n'", queue_id="4D2F")
    for line, state in ((first, State.QUEUED), (last, State.SENT)):
        await ledger.settle(await ledger.begin(await of_one(ledger, of)), outcome(state), NOW + MINUTE, line)
    (found,) = await ledger.find(Query(), 10)
    assert found.history == (first, replace(last, queue_id=None))
    assert found.queue_id == "4D2F"
    assert (found.admitted_at, found.changed_at, found.marked_at, found.unsent_at) == (NOW, NOW + MINUTE, None, None)
    assert found.delivery == await of_one(ledger, of)


async def test_a_history_is_bounded(ledger: Ledger) -> None:
    """The last lines are kept, of this delivery alone."""
    of, other = message(), message()
    await admit(ledger, of, other)
    await ledger.settle(await ledger.begin(await of_one(ledger, other)), outcome(State.QUEUED), NOW, attempt(0))
    for number in range(MOST_ATTEMPTS_KEPT + 7):
        found = await ledger.begin(await of_one(ledger, of))
        await ledger.settle(found, outcome(State.QUEUED), NOW, attempt(number))
    newest, oldest = await ledger.find(Query(), 10)
    assert len(newest.history) == 1
    assert [line.reply for line in oldest.history] == [f"no. {number}" for number in range(7, MOST_ATTEMPTS_KEPT + 7)]


async def test_a_list_is_told_newest_first_in_pages(ledger: Ledger) -> None:
    """A page begins below the last number of the one before; what is new meanwhile disturbs none."""
    messages = [message(f"{number}@example.com") for number in range(25)]
    await admit(ledger, *messages)
    recipients: list[str] = []
    before: int | None = None
    while page := await ledger.find(Query(), 10, before):
        recipients += [found.delivery.recipient for found in page]
        before = page[-1].number
        await admit(ledger, message())
    assert recipients == [f"{number}@example.com" for number in reversed(range(25))]


async def test_a_query_means_what_fits_every_field(ledger: Ledger) -> None:
    """State, recipient in whatever case, and the start of an id; `count` counts the same."""
    sent = message("Ellie@Example.com", B, number=0xABCDEF0000000000_0000000000000001)
    queued = message(ELLIE, number=0xABCDEF0000000000_0000000000000002)
    await admit(ledger, sent, queued)
    await become(ledger, sent, State.SENT, "Ellie@Example.com")
    table = {
        Query(): 3,
        Query(recipient=ELLIE): 2,
        Query(recipient="ELLIE@EXAMPLE.COM", states=frozenset({State.SENT})): 1,
        Query(states=frozenset({State.SENT, State.QUEUED})): 3,
        Query(states=frozenset()): 0,
        Query(message="00000000-0000-0000-abcd"): 0,
        Query(message="abcdef00-0000-0000-0000-00000000000"): 3,
        Query(message="abcdef00-0000-0000-0000-000000000001"): 2,
        Query(message="abcdef00-0000-0000-0000-000000000001", recipient=B): 1,
        Query(message="%"): 0,
        Query(message="ABCDEF00"): 0,
        Query(message="a' OR 1"): 0,
        Query(recipient="e%"): 0,
    }
    for query, expected in table.items():
        assert len(await ledger.find(query, 10)) == expected, query
        assert sum((await ledger.count(query)).values()) == expected, query
