"""The rows of both kinds of ledger: one form, from either and to either."""

from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.ledger.copying.tables import DELIVERY, MESSAGE, TABLES, Digest, Row, Table, of, to_database
from mail_sender.ledger.sqlite_faults import Unreadable

VALUES: dict[str, st.SearchStrategy[Any]] = {
    "bigint": st.integers(-(2**63), 2**63 - 1),
    "text": st.text(),
    "uuid": st.uuids().map(str),
    "boolean": st.integers(0, 1),
    "float8": st.floats(allow_nan=False),
}


@st.composite
def a_table_with_rows(draw: st.DrawFn) -> tuple[Table, list[Row]]:
    """Draw some rows of a table, as they stand in its file."""
    table = draw(st.sampled_from(TABLES))
    row = st.tuples(
        *(
            VALUES[kind] if name in {table.key, "recipient"} else st.none() | VALUES[kind]
            for name, kind in table.columns.items()
        )
    )
    return table, draw(st.lists(row, min_size=1, max_size=4))


@given(a_table_with_rows())
def test_a_row_of_the_file_is_the_same_when_it_comes_back_from_the_database(drawn: tuple[Table, list[Row]]) -> None:
    """To the last digit; only U+0000 is none of PostgreSQL's, and is replaced at once."""
    table, found = drawn
    rows = [of(table, row) for row in found]
    columns = to_database(table, rows)
    back = zip(*(columns[name] for name in table.columns), strict=True)
    assert [of(table, row) for row in back] == rows
    for row, plain in zip(found, rows, strict=True):
        assert plain == tuple(one.replace("\0", "\ufffd") if isinstance(one, str) else one for one in row)


def test_the_database_gets_its_own_types_and_the_mailbox_of_each_recipient() -> None:
    """A dot is a truth there, an id a UUID; two spellings of one mailbox are the same."""
    row = (1, 1, "Ellie@Example.com", "processing", 1, *[0] * 7, None, None, None, None, None, 0)
    columns = to_database(DELIVERY, [of(DELIVERY, row)])
    assert (columns["dot"], columns["mailbox"]) == ([True], ["ellie@example.com"])
    id_ = UUID(int=7)
    columns = to_database(MESSAGE, [of(MESSAGE, (1, str(id_), "test", 1, 2, None, None, None))])
    assert columns["id"] == [id_]


@pytest.mark.parametrize("damaged", [("one", str(UUID(int=1)), "k"), (1, "no id", "k"), (1, str(UUID(int=1)), 5)])
def test_a_damaged_row_is_not_copied(damaged: tuple[object, ...]) -> None:
    """SQLite keeps whatever was written into a column."""
    with pytest.raises(Unreadable):
        of(MESSAGE, (*damaged, 1, 2, None, None, None))


def test_a_digest_knows_each_value_and_the_order_but_not_the_bundles() -> None:
    """Two rows in one bundle are the same as one after the other; `1` is not 1."""
    rows: list[Row] = [(1, "a"), (2, "b"), (2, "b"), (2, "b", None), (1, "a")]

    def digest(*bundles: list[Row]) -> tuple[int, str]:
        made = Digest()
        for bundle in bundles:
            made.add(bundle)
        return made.count, made.value

    assert digest(rows[:2]) == digest(rows[:1], rows[1:2])
    others: list[list[Row]] = [
        rows[:1],
        rows[:2],
        rows[1:2] + rows[:1],
        [("1", "a"), (2, "b")],
        [(1, "a"), (2, None)],
    ]
    assert len({digest(other) for other in others}) == len(others)
