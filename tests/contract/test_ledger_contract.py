"""What every ledger promises, whichever it is; its states, claims, marks and orders are in `test_ledger_model.py`.

A ledger joins by a line in `ledgers.LEDGERS`: a function that opens a fresh, empty one in a folder.
"""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from mail_sender.backoff import LONGEST_WAIT
from mail_sender.ledger.admission import LAGGING
from mail_sender.ledger.base import ASKED_LATELY, MOST_BEFORE, Attempt, Delivery, Fenced, Ledger, Query, Stuck
from mail_sender.ledger.sqlite import KEPT_AFTER
from mail_sender.ledger.states import FINAL, State
from tests.contract.ledgers import WEEK, admit, become, claimed, due, of_one, outcome, states, unmarked
from tests.support.samples import ELLIE, HOUR, IMPRINT, MINUTE, NOW, SECOND, A, B, C, D, crowd, message, reset

# Taking up


async def test_an_admitted_message_is_queued_and_due_at_once(ledger: Ledger) -> None:
    """Once for each recipient, in their order, with nothing counted yet."""
    of = message(B, A, content=reset())
    assert await admit(ledger, of) == []
    fresh = Delivery(of.id, B, "credential_reset_v1", State.QUEUED, of.send_after, of.deadline, NOW)
    assert await ledger.deliveries(of.id) == [fresh, replace(fresh, recipient=A)]
    assert await ledger.due(NOW, 10) == [fresh, replace(fresh, recipient=A)]


async def test_a_deadline_is_the_messages_own_or_its_greatest_age(ledger: Ledger) -> None:
    """Whichever comes first: the link, `delete_after`, or the age since it was first seen."""
    link = message(content=reset(expires_at=NOW + HOUR))
    deleted, aged = message(delete_after=NOW + 2 * HOUR), message()
    await admit(ledger, link, deleted, aged, max_age=3 * HOUR)
    await admit(ledger, aged, now=NOW + HOUR, max_age=3 * HOUR)
    found = [(await of_one(ledger, of)).deadline for of in (link, deleted, aged)]
    assert found == [NOW + 59 * MINUTE, NOW + 2 * HOUR, NOW + 3 * HOUR]


async def test_a_long_queue_is_taken_up_whole(ledger: Ledger) -> None:
    """Thousands are admitted in one go, and again without a change."""
    messages = [message(A, B) for _ in range(2_000)]
    for _ in range(2):
        await ledger.admit([*messages, *messages], NOW, WEEK)
        assert await ledger.count(Query()) == {State.QUEUED: 4_000}
    await ledger.admit([replace(messages[0], recipients=(C,))], NOW + HOUR, WEEK)
    assert len(await ledger.due(NOW, 50_000)) == 4_000


@pytest.mark.parametrize(
    "time", [datetime.max.replace(tzinfo=UTC), datetime(1970, 1, 1, tzinfo=UTC), datetime(1, 1, 1, tzinfo=UTC)]
)
async def test_the_ends_of_the_calendar_are_times_like_any_other(ledger: Ledger, time: datetime) -> None:
    """A message that is to be kept for ever is kept, and one from before all time disturbs no other."""
    odd, other = message(delete_after=time, send_after=time), message()
    await admit(ledger, odd, other)
    await ledger.forget(NOW)
    assert (await of_one(ledger, other)).state is State.QUEUED
    assert other.id in await due(ledger)


# What is due


async def test_what_has_been_due_longest_comes_first_and_then_the_oldest(ledger: Ledger) -> None:
    """By the next attempt, then by `send_after`, then as it came; no more than were asked for."""
    ages = [message(send_after=NOW - age * MINUTE) for age in (1, 3, 2)]
    await admit(ledger, *ages)
    retried = message(send_after=NOW)
    await admit(ledger, retried, now=NOW - HOUR)
    expected = [retried.id, ages[1].id, ages[2].id, ages[0].id]
    assert await due(ledger) == expected
    for limit in range(5):
        assert await due(ledger, limit=limit) == expected[:limit]


async def test_what_waits_for_its_retry_is_not_due_before_its_time(ledger: Ledger) -> None:
    """From the microsecond of its next attempt on; until then `next_due` names it."""
    of, when = message(), NOW + timedelta(seconds=30, microseconds=1)
    await admit(ledger, of)
    claimed = await ledger.begin(await of_one(ledger, of))
    assert await due(ledger) == []
    await ledger.settle(claimed, outcome(State.QUEUED, when), NOW)
    assert await due(ledger, when - timedelta(microseconds=1)) == []
    assert await ledger.next_due(NOW) == when
    assert await due(ledger, when) == [of.id]
    assert await ledger.next_due(when) is None


async def test_what_is_past_its_deadline_comes_before_all_else(ledger: Ledger) -> None:
    """Queued, held or waiting for a retry, the longest past first: it must be ended before anybody mails it."""
    late = [message(content=reset(expires_at=NOW + minutes * MINUTE)) for minutes in (3, 2, 4)]
    living = message()
    await admit(ledger, living, *late)
    await become(ledger, late[0], State.HELD)
    claimed = await ledger.begin(await of_one(ledger, late[1]))
    await ledger.settle(claimed, outcome(State.QUEUED, NOW + 30 * MINUTE), NOW)
    later = NOW + 10 * MINUTE
    expected = [late[1].id, late[0].id, late[2].id]
    assert await due(ledger, later) == [*expected, living.id]
    assert await due(ledger, later, limit=2) == expected[:2]
    assert await due(ledger, late[1].deadline - timedelta(microseconds=1)) == [living.id, late[2].id]
    assert await due(ledger, late[1].deadline) == [late[1].id, living.id, late[2].id]


async def test_recipients_may_be_left_out_in_whatever_case(ledger: Ledger) -> None:
    """Those with a mail in flight; what is late for them is named all the same."""
    mine, yours, late = message("Ellie@Example.com"), message(B), message(ELLIE, delete_after=NOW)
    await admit(ledger, mine, yours, late)
    assert await due(ledger, without=[ELLIE]) == [late.id, yours.id]
    assert await due(ledger, without=[ELLIE, "B@EXAMPLE.COM"]) == [late.id]
    assert await due(ledger, without=["%", "_", "'"]) == [late.id, mine.id, yours.id]


async def test_many_of_one_recipient_do_not_fill_the_limit_of_the_others(ledger: Ledger) -> None:
    """Who is left out takes no place."""
    crowd, other = [message(ELLIE) for _ in range(50)], message(B)
    await admit(ledger, *crowd, now=NOW - HOUR)
    await admit(ledger, other)
    assert await due(ledger, limit=1, without=[ELLIE]) == [other.id]


async def test_a_next_attempt_too_far_ahead_counts_as_due(ledger: Ledger) -> None:
    """No wait is that long: the clock was wrong when it was written."""
    of = message()
    await admit(ledger, of)
    claimed = await ledger.begin(await of_one(ledger, of))
    await ledger.settle(claimed, outcome(State.QUEUED, NOW + LONGEST_WAIT), NOW)
    assert await due(ledger) == []
    assert await due(ledger, NOW - SECOND) == [of.id]


# What is fresh


async def fresh(ledger: Ledger, since: datetime, now: datetime = NOW, limit: int = 100) -> list[UUID]:
    """Return the messages of what is fresh, in its order."""
    return [found.message for found in await ledger.fresh(now, since, limit)]


async def test_what_was_admitted_since_a_poll_and_never_tried_is_fresh(ledger: Ledger) -> None:
    """The oldest message first; not what is late, what was tried, or what the poll itself has brought."""
    ages = (90, 80, 70, 30, 40)
    earlier, tried, late, *new = (message(f"{age}@x.org", send_after=NOW - age * SECOND) for age in ages)
    late = replace(late, delete_after=NOW)
    await admit(ledger, earlier, now=NOW - 2 * SECOND)
    await admit(ledger, tried, late, *new, now=NOW - SECOND)
    claimed = await ledger.begin(await of_one(ledger, tried))
    await ledger.settle(claimed, outcome(State.QUEUED, NOW), NOW)
    assert await fresh(ledger, NOW - 2 * SECOND) == [new[1].id, new[0].id]
    assert await fresh(ledger, NOW - 2 * SECOND, limit=1) == [new[1].id]
    assert await fresh(ledger, NOW - SECOND) == []
    assert await fresh(ledger, NOW - 2 * SECOND, now=NOW - 2 * SECOND) == []
    assert await ledger.due(NOW, 100) == [
        *await ledger.due(NOW, 1), *await ledger.fresh(NOW, NOW - MINUTE, 100), await of_one(ledger, tried)
    ]  # fmt: skip


async def test_what_comes_only_now_of_a_backlog_is_not_fresh(ledger: Ledger) -> None:
    """However much of it one poll brings along with a message that was asked for just now."""
    new = message(A, send_after=NOW - ASKED_LATELY + SECOND)
    await admit(ledger, *(message(f"{n}@x.org", send_after=NOW - ASKED_LATELY) for n in range(9)), new)
    assert await fresh(ledger, NOW - SECOND, limit=5) == [new.id]


async def test_a_fresh_one_stands_behind_what_is_due_for_its_recipient(ledger: Ledger) -> None:
    """In whatever case; what waits for its retry holds nothing back, and nobody else's is in the way."""
    old, other, waits = message("Ellie@Example.com"), message(B), message(ELLIE)
    await admit(ledger, old, other, waits, now=NOW - HOUR)
    claimed = await ledger.begin(await of_one(ledger, waits))
    await ledger.settle(claimed, outcome(State.QUEUED, NOW + MINUTE), NOW)
    second, first = message(ELLIE, send_after=NOW - MINUTE), message(ELLIE, send_after=NOW - 2 * MINUTE)
    await admit(ledger, second, first)
    assert await fresh(ledger, NOW - MINUTE) == [old.id, first.id, second.id]


async def test_a_fresh_one_behind_too_many_goes_with_the_backlog(ledger: Ledger) -> None:
    """Only the first of those before it are named: else it would overtake the others."""
    for many in (MOST_BEFORE, MOST_BEFORE + 1):
        crowd, of = [message(f"{many}@example.com") for _ in range(many)], message(f"{many}@example.com")
        await admit(ledger, *crowd, now=NOW - HOUR)
        await admit(ledger, of, now=NOW)
        found = await fresh(ledger, NOW - MINUTE)
        assert found[:MOST_BEFORE] == [one.id for one in crowd[:MOST_BEFORE]]
        assert (of.id in found) is (many == MOST_BEFORE)
        await become(ledger, of, State.FAILED, of.recipients[0])


async def test_what_the_caller_changes_meanwhile_changes_no_answer(ledger: Ledger) -> None:
    """The set of recipients is looked at when it is handed over."""
    await admit(ledger, message(A), message(B))
    without = {A}
    asking = asyncio.ensure_future(ledger.due(NOW, 10, without))
    await asyncio.sleep(0)
    without |= {B}
    assert [found.recipient for found in await asking] == [B]


# An attempt


async def test_an_old_claim_can_write_nothing(ledger: Ledger) -> None:
    """Neither a dot nor an outcome, after the delivery was given to another."""
    of = message()
    await admit(ledger, of)
    old = await ledger.begin(await of_one(ledger, of))
    await ledger.settle(old, outcome(State.QUEUED), NOW)
    new = await ledger.begin(await of_one(ledger, of))
    for write in (ledger.dot(old, IMPRINT), ledger.settle(old, outcome(State.SENT), NOW)):
        with pytest.raises(Fenced):
            await write
    assert await of_one(ledger, of) == new
    await ledger.dot(new, IMPRINT)


async def test_of_two_claims_on_one_reading_only_the_first_can_write(ledger: Ledger) -> None:
    """Nor can one that an operator was faster than, although his command counts up the same number."""
    of, changed = crowd(2)
    await admit(ledger, of, changed)
    read, found = await of_one(ledger, of), await of_one(ledger, changed)
    first, second = await ledger.begin(read), await claimed(ledger, read)
    await ledger.apply_command(found, outcome(State.QUEUED), NOW)
    late = await claimed(ledger, found)
    assert first.claim != second.claim
    for claim in (second, late, replace(late, claim=1)):
        for write in (ledger.dot(claim, IMPRINT), ledger.settle(claim, outcome(State.FAILED), NOW)):
            with pytest.raises(Fenced):
                await write
    assert await of_one(ledger, of) == first
    assert (await of_one(ledger, changed)).state is State.QUEUED
    await ledger.dot(first, IMPRINT)


async def test_a_claim_is_seen_by_all_that_is_asked_after_it(ledger: Ledger) -> None:
    """Whenever it is committed: by a look at the message, a count, and a search for what was left behind."""
    of = message()
    await admit(ledger, of)
    begun = await ledger.begin(await of_one(ledger, of))
    assert await ledger.interrupted() == await ledger.deliveries(of.id) == [begun]
    assert await ledger.count(Query()) == {State.PROCESSING: 1}
    assert await due(ledger) == []


async def test_a_write_that_is_refused_disturbs_none_beside_it(ledger: Ledger) -> None:
    """Handed over in the same moment: the fenced one changes nothing, and all others are written."""
    messages = crowd(20)
    await admit(ledger, *messages)
    found = [await of_one(ledger, of) for of in messages]
    wrong = [replace(one, claim=7) if number % 3 == 0 else one for number, one in enumerate(found)]
    begun = [await claimed(ledger, one) for one in wrong]
    results = await asyncio.gather(*(ledger.dot(one, IMPRINT) for one in begun), return_exceptions=True)
    assert [isinstance(result, Fenced) for result in results] == [number % 3 == 0 for number in range(20)]
    counts = await ledger.count(Query())
    assert counts == {State.QUEUED: 7, State.PROCESSING: 13}


async def test_a_call_that_is_cancelled_does_no_harm(ledger: Ledger) -> None:
    """Its write is done or not done; the next call is answered."""
    of = message()
    await admit(ledger, of)
    found = await of_one(ledger, of)
    beginning = asyncio.ensure_future(ledger.begin(found))
    await asyncio.sleep(0)
    beginning.cancel()
    await asyncio.wait({beginning})
    assert await states(ledger, of) in ([State.QUEUED], [State.PROCESSING])


# Marks


@pytest.mark.parametrize("last", State)
async def test_a_message_is_unmarked_when_all_are_final_and_one_is_sent(ledger: Ledger, last: State) -> None:
    """Only the step that makes the last one final says so; what may still become mail holds the mark back."""
    of, nobody = message(A, B), message(C, D)
    await admit(ledger, of, nobody)
    for recipient in (C, D):
        await become(ledger, nobody, State.FAILED if last is State.SENT else last, recipient)
    assert await become(ledger, of, State.SENT, A) is False
    assert await become(ledger, of, last, B) is (last in FINAL)
    assert await unmarked(ledger) == [of.id] * (last in FINAL)


async def test_what_is_listed_long_after_its_mark_is_newly_un_sent_once(ledger: Ledger) -> None:
    """A quarter of an hour is a replica that lags; later it is told, once, and shown; a new mark ends it."""
    of, other = message(), message()
    await admit(ledger, of, other)
    await become(ledger, of, State.SENT)
    await ledger.marked([of.id], NOW)
    assert await admit(ledger, of, other, now=NOW + LAGGING) == []
    later = NOW + LAGGING + SECOND
    assert await admit(ledger, of, other, now=later) == [of.id]
    assert await admit(ledger, of, other, now=later + HOUR) == []
    (found,) = await ledger.find(Query(message=str(of.id)), 10)
    assert (found.unsent_at, found.marked_at) == (later, NOW)
    await ledger.marked([of.id], later)
    (found,) = await ledger.find(Query(message=str(of.id)), 10)
    assert (found.unsent_at, found.marked_at) == (None, later)
    assert await states(ledger, of) == [State.SENT]


async def test_what_is_listed_long_after_it_was_withdrawn_is_newly_un_sent_once(ledger: Ledger) -> None:
    """Whoever un-sends it wants it mailed; only a copy that the operator asks for mails it, and then it is marked."""
    of, partly = message(), message("a@example.com", "b@example.com")
    await admit(ledger, of, partly)
    await become(ledger, of, State.WITHDRAWN)
    await ledger.settle((await ledger.deliveries(partly.id))[0], outcome(State.WITHDRAWN), NOW)
    assert await admit(ledger, of, partly, now=NOW + LAGGING) == []
    later = NOW + LAGGING + SECOND
    assert await admit(ledger, of, partly, now=later) == [of.id]
    assert await admit(ledger, of, partly, now=later + HOUR) == []
    (found,) = await ledger.find(Query(message=str(of.id)), 10)
    assert (found.unsent_at, found.marked_at) == (later, None)
    (withdrawn,) = await ledger.deliveries(of.id)
    await ledger.apply_command(withdrawn, replace(outcome(State.QUEUED), copy=1), later)
    (found,) = await ledger.find(Query(message=str(of.id)), 10)
    assert (found.unsent_at, found.delivery.state) == (None, State.QUEUED)
    await become(ledger, of, State.SENT)
    assert await unmarked(ledger) == [of.id]


@pytest.mark.parametrize("state", [State.PROCESSING, State.UNKNOWN])
async def test_a_mark_is_not_written_before_its_outcome(ledger: Ledger, state: State) -> None:
    """A row that has the mark and not the outcome would be mailed again after a kill, though the server knows."""
    of = message()
    await admit(ledger, of)
    await become(ledger, of, state)
    await ledger.marked([of.id], NOW)
    assert not (await of_one(ledger, of)).marked


async def test_a_copy_of_a_marked_message_does_not_make_it_unmarked(ledger: Ledger) -> None:
    """The server knows already; while it is not marked yet, the copy holds the mark back like any other."""
    marked, fresh = message(), message()
    await admit(ledger, marked, fresh)
    for of in (marked, fresh):
        await become(ledger, of, State.SENT)
    await ledger.marked([marked.id], NOW)
    for of in (marked, fresh):
        await ledger.apply_command(await of_one(ledger, of), outcome(State.QUEUED, copy=1), NOW)
    assert await unmarked(ledger) == []
    assert await become(ledger, marked, State.SENT) is False
    assert await become(ledger, fresh, State.SENT) is True
    assert await unmarked(ledger) == [fresh.id]


async def test_unmarked_messages_come_as_they_became_so_until_the_server_deletes_them(ledger: Ledger) -> None:
    """Whatever the order of their admission; from its `delete_after` on, nobody wants to know of one."""
    first, deleted, last = message(), message(delete_after=NOW + HOUR), message()
    await admit(ledger, first, deleted, last)
    for minute, of in enumerate((last, deleted, first)):
        await become(ledger, of, State.SENT, now=NOW + minute * MINUTE)
    assert await unmarked(ledger, NOW + HOUR - SECOND) == [last.id, deleted.id, first.id]
    assert await unmarked(ledger, NOW + HOUR) == [last.id, first.id]
    assert await ledger.unmarked(NOW, 2) == [last.id, deleted.id]
    await ledger.marked([last.id, first.id], NOW)
    assert await unmarked(ledger) == [deleted.id]


async def test_giving_up_the_last_open_delivery_makes_the_message_unmarked(ledger: Ledger) -> None:
    """The others are sent, and nothing more is to come."""
    of = message(A, B)
    await admit(ledger, of)
    await become(ledger, of, State.SENT, A)
    _, second = await ledger.deliveries(of.id)
    await ledger.apply_command(second, outcome(State.ABANDONED), NOW)
    assert await unmarked(ledger) == [of.id]


# Forgetting


async def test_a_message_is_forgotten_a_day_after_the_server_deletes_it(ledger: Ledger) -> None:
    """Not earlier, and then with its mark and history; others stay, and so does what the server still lists."""
    of, listed, other = message(delete_after=NOW), message(delete_after=NOW), message(delete_after=NOW + HOUR)
    await admit(ledger, of, listed, other, now=NOW - HOUR)
    await become(ledger, of, State.SENT)
    await ledger.forget(NOW + KEPT_AFTER)
    assert await states(ledger, of) == [State.SENT]
    await ledger.forget(NOW + KEPT_AFTER + SECOND, keep={listed.id: listed})
    assert await ledger.deliveries(of.id) == []
    assert len(await ledger.find(Query(), 10)) == 2
    assert await states(ledger, other) == await states(ledger, listed) == [State.QUEUED]


# What limits count


async def test_what_is_due_may_be_read_by_its_deadline(ledger: Ledger) -> None:
    """What may not wait for a limit, in the usual order; what is late is named all the same."""
    soon, later, late = (message(content=reset(expires_at=NOW + minutes * MINUTE)) for minutes in (10, 30, 1))
    await admit(ledger, later, soon, late)
    by = NOW + 9 * MINUTE
    assert [one.message for one in await ledger.due(NOW, 10, deadline_by=by)] == [late.id, soon.id]
    assert [one.message for one in await ledger.due(NOW, 10, deadline_by=by - SECOND)] == [late.id]
    assert [one.message for one in await ledger.due(NOW, 10, [ELLIE], by)] == [late.id]


@pytest.mark.parametrize("deadline_by", [None, NOW + WEEK])
async def test_what_may_have_arrived_waits_for_its_own_relay_alone(
    ledger: Ledger, deadline_by: datetime | None
) -> None:
    """The first relay stands for one that is gone, or was not written; the rest waits for none."""
    relays = first, second, gone = "a.example:25", "b.example:25", "c.example:25"
    cut = {relay: message() for relay in (*relays, None)}
    free = message()
    await admit(ledger, *cut.values(), free)
    for relay, of in cut.items():
        begun = await ledger.begin(await of_one(ledger, of))
        await ledger.dot(begun, replace(IMPRINT, relay=relay))
        await ledger.settle(begun, outcome(State.QUEUED, ambiguous=1), NOW)
    of_first, of_second = {cut[relay].id for relay in (first, gone, None)}, {cut[second].id}

    async def left(*take_none: str) -> set[UUID]:
        stuck = Stuck(frozenset(take_none), (first, second))
        return {one.message for one in await ledger.due(NOW, 10, [], deadline_by, stuck)}

    assert await left(first) == of_second | {free.id}
    assert await left(second) == of_first | {free.id}
    assert await left(first, second) == {free.id}


async def test_what_went_lately_is_named_with_its_recipient_and_its_end(ledger: Ledger) -> None:
    """What was accepted, or cut off at the dot; nothing that was refused, nor what began before."""
    for number, (verdict, at) in enumerate(
        [("accepted", 5), ("uncertain", 3), ("refused", 4), ("deferred", 4), ("accepted", 1), ("held_back", 4)]
    ):
        of = message(f"{number}@example.com")
        await admit(ledger, of)
        line = Attempt(NOW + at * MINUTE, "dot", verdict, None, "", 1.5)
        await ledger.settle(await ledger.begin(await of_one(ledger, of)), outcome(State.QUEUED), NOW, line)
    ends = [(f"{number}@example.com", NOW + minutes * MINUTE + 1.5 * SECOND) for number, minutes in ((1, 3), (0, 5))]
    assert await ledger.accepted(NOW + 2 * MINUTE) == ends
    assert await ledger.accepted(NOW + 6 * MINUTE) == []


async def test_what_began_once_keeps_its_time(ledger: Ledger) -> None:
    """Whoever asks first decides, by name."""
    assert await ledger.began("warm_up one", NOW) == NOW
    assert await ledger.began("warm_up two", NOW + HOUR) == NOW + HOUR
    assert await ledger.began("warm_up one", NOW + WEEK) == NOW


async def test_deliveries_are_found_by_when_they_are_due_and_by_their_last_line(ledger: Ledger) -> None:
    """Only the last one counts."""
    of, other = message(), message()
    await admit(ledger, of, other, now=NOW + MINUTE)
    for verdict in ("deferred", "held_back"):
        line = Attempt(NOW, "limit", verdict, None, "", 0.0)
        await ledger.settle(await of_one(ledger, of), outcome(State.QUEUED, NOW + HOUR), NOW, line)
    assert await ledger.count(Query(due_by=NOW)) == {}
    assert await ledger.count(Query(due_by=NOW + MINUTE)) == {State.QUEUED: 1}
    assert await ledger.count(Query(due_by=NOW + HOUR)) == {State.QUEUED: 2}
    assert [one.delivery.message for one in await ledger.find(Query(last_verdict="held_back"), 10)] == [of.id]
    assert await ledger.find(Query(last_verdict="deferred"), 10) == []
