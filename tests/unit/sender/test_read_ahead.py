"""What was read ahead of the ledger: what is due, and what is fresh, each until it is taken or forgotten."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

from mail_sender.ledger.base import Delivery, Ledger
from mail_sender.sender.read_ahead import FRESH_FOR, LEAD, MOST_FRESH, ReadAhead
from tests.support.samples import ELLIE, MINUTE, NOW, SECOND, A, B, C, delivery, message


class _Poll:
    """A ledger in which each poll has brought what a test says; it notes since when it was asked."""

    def __init__(self) -> None:
        self.brings: list[Delivery] = []
        self.asked: list[datetime] = []

    async def fresh(self, now: datetime, since: datetime, limit: int) -> Sequence[Delivery]:
        """Return what the poll has brought."""
        assert since < now
        self.asked.append(since)
        return self.brings[:limit]


def of(*recipients: str) -> list[Delivery]:
    """Return a delivery of a message of its own for each recipient."""
    return [delivery(message(recipient)) for recipient in recipients]


def ahead() -> tuple[ReadAhead, _Poll]:
    """Return an empty one, and what it reads."""
    poll = _Poll()
    return ReadAhead(cast("Ledger", poll)), poll


async def test_each_poll_is_looked_at_once_and_the_latest_goes_first() -> None:
    """What an earlier one brought stands behind it, as long as it is fresh."""
    read, poll = ahead()
    first, second = of(A, B), of(C)
    for number, poll.brings in enumerate((first, second)):
        for _ in range(2):
            await read.look_at_poll(NOW + number * SECOND, NOW + number * SECOND, ())
    assert poll.asked == [NOW - FRESH_FOR, NOW]
    assert list(read.fresh) == [*second, *first]
    poll.brings = of(A)
    await read.look_at_poll(NOW + FRESH_FOR, NOW + FRESH_FOR, ())
    assert list(read.fresh) == [*poll.brings, *second]


async def test_a_long_time_without_a_look_makes_nothing_fresh_that_is_old() -> None:
    """Only the last minute counts, and only so many."""
    read, poll = ahead()
    await read.look_at_poll(NOW, NOW, ())
    poll.brings = of(*(f"{number}@example.com" for number in range(MOST_FRESH + 1)))
    await read.look_at_poll(NOW + 9 * MINUTE, NOW + 9 * MINUTE, ())
    assert poll.asked[-1] == NOW + 9 * MINUTE - FRESH_FOR
    assert len(list(read.fresh)) == MOST_FRESH
    poll.brings = of(A)
    await read.look_at_poll(NOW + 10 * MINUTE - SECOND, NOW + 10 * MINUTE - SECOND, ())
    assert len(list(read.fresh)) == MOST_FRESH
    assert next(iter(read.fresh)) == poll.brings[0]


async def test_what_is_in_flight_is_not_taken_again() -> None:
    """Its claim may not be written yet."""
    read, poll = ahead()
    poll.brings = of(A, B)
    await read.look_at_poll(NOW, NOW, {poll.brings[0].key})
    assert list(read.fresh) == poll.brings[1:]


async def test_fresh_ones_may_lead_and_each_of_the_backlog_takes_one_off_it() -> None:
    """What ends without a mail changes nothing; what both have is fresh."""
    read, poll = ahead()
    *fresh, both, old, late = of(*(f"{number}@example.com" for number in range(LEAD + 3)))
    poll.brings = [*fresh, both]
    await read.look_at_poll(NOW, NOW, ())
    read.replace([late, both, old], 4)
    assert (read.fresh_first, read.has_all) == (LEAD, True)
    read.take(late)
    read.take(both, goes=True)
    assert read.fresh_first == LEAD - 1
    for _ in range(2):
        read.take(old, goes=True)
    assert read.fresh_first == LEAD
    for left, one in enumerate(reversed(fresh)):
        assert read.fresh_first == LEAD - left
        read.take(one, goes=True)
    assert (read.fresh_first, [*read.due], [*read.fresh]) == (0, [], [])
    read.take(late, goes=True)
    assert read.fresh_first == 1


async def test_what_is_forgotten_is_read_anew() -> None:
    """Both, and the poll is looked at once more."""
    read, poll = ahead()
    poll.brings = of(A)
    await read.look_at_poll(NOW, NOW, ())
    read.replace(of(B), 2)
    read.forget()
    assert ([*read.due], [*read.fresh], read.has_all) == ([], [], False)
    await read.look_at_poll(NOW, NOW, ())
    assert list(read.fresh) == poll.brings


async def test_one_that_is_queued_again_comes_before_those_for_its_address() -> None:
    """What was read for it is dropped, in whatever case: of the others, nothing has to be read anew."""
    read, poll = ahead()
    poll.brings = of(A)
    await read.look_at_poll(NOW, NOW, ())
    hers, other = of(ELLIE.upper(), B)
    read.replace([hers, other], 3)
    read.queued_again(delivery(message(ELLIE)))
    assert ([*read.due], [*read.fresh], read.has_all) == ([other], poll.brings, False)
    read.queued_again(poll.brings[0])
    assert list(read.fresh) == []
