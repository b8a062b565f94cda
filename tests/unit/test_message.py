"""The ids of very many messages: a set that takes little memory."""

import tracemalloc
from collections.abc import Iterator
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.message import MessageIds

# The end of one and the beginning of the next hold others; and all of them share a bucket.
OVERLAPPING = st.lists(
    st.binary(min_size=0, max_size=3).map(lambda end: UUID(bytes=end.rjust(16, b"\1"))), max_size=30
)


@given(st.lists(st.uuids(), max_size=30) | OVERLAPPING, OVERLAPPING)
def test_it_holds_what_a_set_of_the_same_ids_holds(ids: list[UUID], others: list[UUID]) -> None:
    """Each once, whatever stands beside it; what is no id is not in it."""
    found, expected = MessageIds(), set[UUID]()
    for id_ in ids:
        assert found.add(id_.bytes) is (id_ not in expected)
        expected.add(id_)
    assert len(found) == len(expected)
    assert [id_ in found for id_ in (*ids, *others)] == [id_ in expected for id_ in (*ids, *others)]
    assert (found == MessageIds(reversed(ids)), str(uuid4()) in found) == (True, False)
    assert (found == MessageIds([*ids, uuid4()])) is False


def test_an_id_that_lies_across_two_others_is_not_there() -> None:
    """The octets are there, in the middle of them, but it was never taken in."""
    first, second = UUID(int=0x01020304 << 64), UUID(int=0x05060708 << 64)
    ids = MessageIds()
    ids._BUCKETS = 1  # both lie in one
    ids.add(first.bytes)
    ids.add(second.bytes)
    across = UUID(bytes=(first.bytes + bytes(16) + second.bytes)[21:37])
    assert (first in ids, second in ids, across in ids) == (True, True, False)


def test_what_stands_beside_an_id_is_found_with_it() -> None:
    """It is no id itself, and the first one counts."""
    first, second = UUID(int=1), UUID(int=2)
    ids = MessageIds()
    assert ids.add(first.bytes, second.bytes)
    assert not ids.add(first.bytes)
    assert (ids.beside(first.bytes), ids.beside(second.bytes), second in ids) == (second.bytes, None, False)


@pytest.mark.parametrize("many", [1, 7])
def test_the_oldest_ones_are_told_from_the_others(many: int) -> None:
    """By their time; of very many, about so many."""
    ids = MessageIds()
    ids._SAMPLE = 1_000
    assert ids.oldest(10) == b""
    for number in range(1_000 * many):
        ids.add(uuid4().bytes, number.to_bytes(8, "big") + bytes(8))
    assert abs(int.from_bytes(ids.oldest(500)[:8], "big") - 499) <= (0 if many == 1 else 300)
    assert int.from_bytes(ids.oldest(10**6)[:8], "big") >= 990 * many


def test_very_many_ids_take_little_memory() -> None:
    """Twenty thousand, half of which is the buckets': a set of them takes twice as much."""

    def made() -> Iterator[UUID]:
        return (UUID(int=number * (2**128 // 20_011)) for number in range(20_000))

    tracemalloc.start()
    try:
        ids = MessageIds(made())
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(ids) == 20_000
    assert taken < 20_000 * 75
