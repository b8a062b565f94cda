"""What every ledger promises, whichever it is.

A ledger joins by a line in `LEDGERS`: a function that makes a fresh, empty one in a folder.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from mail_sender.ledger.base import Delivery, Ledger, Outcome
from mail_sender.ledger.memory import MemoryLedger
from mail_sender.ledger.states import FINAL, IllegalMove, State
from mail_sender.message import Message
from tests.unit.samples import ELLIE, NOW, message

LEDGERS: dict[str, Callable[[Path], Ledger]] = {"memory": lambda _: MemoryLedger()}
A, B, C = "a@example.com", "b@example.com", "c@example.com"
HOUR = timedelta(hours=1)


@pytest.fixture(params=LEDGERS)
def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> Ledger:
    """Give a fresh ledger."""
    return LEDGERS[request.param](tmp_path)


async def deliveries(ledger: Ledger, of: Message) -> tuple[Delivery, ...]:
    """Return a message's deliveries."""
    return (await ledger.deliveries([of.id]))[of.id]


async def states(ledger: Ledger, of: Message) -> list[State]:
    """Return where a message stands for each recipient."""
    return [delivery.state for delivery in await deliveries(ledger, of)]


async def become(ledger: Ledger, of: Message, recipient: str, state: State) -> bool:
    """Lead a queued delivery to a state by the way that the worker takes; return what the last step said."""
    delivery = next(found for found in await deliveries(ledger, of) if found.recipient == recipient)
    if state not in {State.EXPIRED, State.HELD}:
        await ledger.begin(delivery)
    if state in {State.SENT, State.UNKNOWN}:
        await ledger.dot(delivery)
    return await ledger.settle(delivery, Outcome(state, NOW, delivery.attempts + 1, delivery.ambiguous))


async def test_a_new_ledger_is_empty(ledger: Ledger) -> None:
    """It knows nothing, and has nothing to tell."""
    assert await ledger.deliveries([message().id]) == {}
    assert list(await ledger.unmarked()) == []
    await ledger.forget(NOW)


async def test_an_admitted_message_is_queued_and_due_at_once(ledger: Ledger) -> None:
    """Once for each recipient, in their order, with nothing counted yet."""
    of = message(B, A)
    await ledger.admit([of], NOW)
    assert await deliveries(ledger, of) == tuple(
        Delivery(of.id, recipient, State.QUEUED, next_attempt=NOW) for recipient in (B, A)
    )


async def test_deliveries_are_those_that_were_asked_for(ledger: Ledger) -> None:
    """What is not known is left out, without a fault."""
    first, second, stranger = message(), message(), message()
    await ledger.admit([first, second], NOW)
    assert set(await ledger.deliveries([second.id, stranger.id])) == {second.id}
    assert set(await ledger.deliveries(iter([first.id, second.id]))) == {first.id, second.id}
    assert await ledger.deliveries([]) == {}


@pytest.mark.parametrize("state", [State.HELD, *sorted(FINAL)])
async def test_admitting_again_changes_nothing_that_is_known(ledger: Ledger, state: State) -> None:
    """However often a message is listed, its deliveries stay as they are."""
    of = message(A, B)
    await ledger.admit([of], NOW)
    await become(ledger, of, A, state)
    before = await deliveries(ledger, of)
    await ledger.admit([of, of], NOW + HOUR)
    assert await deliveries(ledger, of) == before


async def test_a_delivery_under_way_is_processing_until_it_is_settled(ledger: Ledger) -> None:
    """From `begin` on, through `dot`, also when it is listed meanwhile."""
    of = message()
    await ledger.admit([of], NOW)
    (delivery,) = await deliveries(ledger, of)
    await ledger.begin(delivery)
    assert await states(ledger, of) == [State.PROCESSING]
    await ledger.admit([of], NOW)
    await ledger.dot(delivery)
    assert await states(ledger, of) == [State.PROCESSING]
    await ledger.settle(delivery, Outcome(State.SENT, NOW, 1, 0))
    assert await states(ledger, of) == [State.SENT]


async def test_an_outcome_is_kept_whole(ledger: Ledger) -> None:
    """State, next attempt and both counts are what was settled; other deliveries are untouched."""
    of = message(A, B)
    await ledger.admit([of], NOW)
    first, second = await deliveries(ledger, of)
    await ledger.begin(first)
    moment = datetime(2026, 11, 21, 13, 14, 15, 161718, tzinfo=UTC)
    assert not await ledger.settle(first, Outcome(State.QUEUED, moment, 3, 1))
    assert await deliveries(ledger, of) == (replace(first, next_attempt=moment, attempts=3, ambiguous=1), second)


async def test_a_message_with_one_recipient_is_unmarked_when_it_is_sent(ledger: Ledger) -> None:
    """`settle` says so, and `unmarked` lists it until it is marked."""
    of = message()
    await ledger.admit([of], NOW)
    assert await become(ledger, of, ELLIE, State.SENT) is True
    assert list(await ledger.unmarked()) == [of.id]
    await ledger.marked(of.id)
    assert list(await ledger.unmarked()) == []


@pytest.mark.parametrize("last", sorted(FINAL))
@pytest.mark.parametrize("order", [(A, B, C), (C, B, A)])
async def test_a_message_is_unmarked_when_all_are_final_and_one_is_sent(
    ledger: Ledger, last: State, order: tuple[str, str, str]
) -> None:
    """Whichever comes last: only the step that makes the last delivery final says so."""
    of = message(A, B, C)
    await ledger.admit([of], NOW)
    assert await become(ledger, of, order[0], State.SENT) is False
    assert await become(ledger, of, order[1], State.FAILED) is False
    assert list(await ledger.unmarked()) == []
    assert await become(ledger, of, order[2], last) is True
    assert list(await ledger.unmarked()) == [of.id]


@pytest.mark.parametrize("state", [State.HELD, State.QUEUED])
async def test_a_delivery_that_is_not_final_holds_the_mark_back(ledger: Ledger, state: State) -> None:
    """Held and queued deliveries may still become mail."""
    of = message(A, B)
    await ledger.admit([of], NOW)
    assert await become(ledger, of, A, state) is False
    assert await become(ledger, of, B, State.SENT) is False
    assert list(await ledger.unmarked()) == []


@pytest.mark.parametrize("state", sorted(FINAL - {State.SENT}))
async def test_a_message_that_nobody_got_is_never_unmarked(ledger: Ledger, state: State) -> None:
    """Final for all, sent to none: the server is told nothing."""
    of = message(A, B)
    await ledger.admit([of], NOW)
    for recipient in (A, B):
        assert await become(ledger, of, recipient, state) is False
    assert list(await ledger.unmarked()) == []


async def test_unmarked_messages_come_oldest_first(ledger: Ledger) -> None:
    """In the order in which they became so."""
    messages = [message() for _ in range(5)]
    await ledger.admit(messages, NOW)
    for of in messages:
        await become(ledger, of, ELLIE, State.SENT)
    assert list(await ledger.unmarked()) == [of.id for of in messages]
    await ledger.marked(messages[1].id)
    assert list(await ledger.unmarked()) == [of.id for of in messages if of is not messages[1]]


async def test_a_marked_message_stays_sent_and_marked(ledger: Ledger) -> None:
    """Listed again, it is neither queued nor unmarked; marking twice, or what is unknown, does no harm."""
    of = message()
    await ledger.admit([of], NOW)
    await become(ledger, of, ELLIE, State.SENT)
    for id_ in (of.id, of.id, UUID(int=2**100)):
        await ledger.marked(id_)
    await ledger.admit([of], NOW + HOUR)
    assert await states(ledger, of) == [State.SENT]
    assert list(await ledger.unmarked()) == []


async def test_two_messages_to_one_address_are_kept_apart(ledger: Ledger) -> None:
    """A delivery is one message for one recipient."""
    first, second = message(A), message(A)
    await ledger.admit([first, second], NOW)
    await become(ledger, first, A, State.SENT)
    assert (await states(ledger, first), await states(ledger, second)) == ([State.SENT], [State.QUEUED])


@pytest.mark.parametrize("state", sorted(FINAL))
async def test_nothing_leaves_a_final_state(ledger: Ledger, state: State) -> None:
    """Neither an attempt nor an outcome: what was sent is never queued again."""
    of = message()
    await ledger.admit([of], NOW)
    await become(ledger, of, ELLIE, state)
    (delivery,) = await deliveries(ledger, of)
    with pytest.raises(IllegalMove):
        await ledger.begin(delivery)
    for new in (State.QUEUED, State.SENT, State.FAILED):
        with pytest.raises(IllegalMove):
            await ledger.settle(delivery, Outcome(new, NOW, 1, 0))
    assert await deliveries(ledger, of) == (delivery,)


async def test_nothing_becomes_sent_that_was_not_begun(ledger: Ledger) -> None:
    """A queued delivery has to be under way first."""
    of = message()
    await ledger.admit([of], NOW)
    (delivery,) = await deliveries(ledger, of)
    with pytest.raises(IllegalMove):
        await ledger.settle(delivery, Outcome(State.SENT, NOW, 1, 0))
    assert await states(ledger, of) == [State.QUEUED]


async def test_a_message_is_forgotten_a_day_after_the_server_deletes_it(ledger: Ledger) -> None:
    """Not earlier, and then with its mark; others stay."""
    of, other = message(delete_after=NOW), message(delete_after=NOW + HOUR)
    await ledger.admit([of, other], NOW - HOUR)
    await become(ledger, of, ELLIE, State.SENT)
    await ledger.forget(NOW + timedelta(days=1))
    assert list(await ledger.unmarked()) == [of.id]
    await ledger.forget(NOW + timedelta(days=1, seconds=1))
    assert await ledger.deliveries([of.id]) == {}
    assert list(await ledger.unmarked()) == []
    assert await states(ledger, other) == [State.QUEUED]


async def test_the_last_moment_of_the_calendar_is_a_time_like_any_other(ledger: Ledger) -> None:
    """A message that is to be kept until then is kept, and disturbs no other."""
    for_ever, old = message(delete_after=datetime.max.replace(tzinfo=UTC)), message(delete_after=NOW)
    await ledger.admit([for_ever, old], NOW)
    await ledger.forget(NOW + timedelta(days=2))
    assert await ledger.deliveries([for_ever.id, old.id]) == {for_ever.id: await deliveries(ledger, for_ever)}


async def test_a_long_queue_is_taken_up_whole(ledger: Ledger) -> None:
    """17,000 messages are admitted and read back in one go."""
    messages = [message(A, B) for _ in range(17_000)]
    await ledger.admit(messages, NOW)
    found = await ledger.deliveries(of.id for of in messages)
    assert len(found) == 17_000
    assert all([one.recipient for one in found[of.id]] == [A, B] for of in messages)
