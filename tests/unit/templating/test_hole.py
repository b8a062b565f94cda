"""A hole can be placed, and shows how its place writes characters; nothing can be found out from it."""

import operator
from collections.abc import Callable
from typing import Any

import pytest
from markupsafe import escape

from mail_sender.templating import hole
from mail_sender.templating.hole import SPECIAL, Damaged, Hole, Placed, split

HOLE = Hole("hole", 7)


def test_a_hole_is_found_where_it_was_placed() -> None:
    """With its number, its filters, and each special character as it came out."""
    filtered = hole.filtered(hole.filtered(HOLE, "host"), "wrap")
    assert list(split(f"a{HOLE}{filtered}b", "hole")) == [
        "a", Placed(7, (), SPECIAL), "", Placed(7, ("host", "wrap"), SPECIAL), "b",
    ]  # fmt: skip
    written = ("&amp;", "&#34;", "&#39;", "&lt;", "&gt;", "\xa0")
    assert list(split(escape(HOLE), "hole")) == ["", Placed(7, (), written), ""]


@pytest.mark.parametrize("output", [str(HOLE)[:-1], str(HOLE)[1:], str(HOLE).replace("|", ""), f"hole{HOLE}"])
def test_a_hole_that_does_not_come_out_whole_is_noticed(output: str) -> None:
    """A template cut it, or what else changed it."""
    with pytest.raises(Damaged):
        list(split(output, "hole"))


QUESTIONS: list[Callable[[Any], object]] = [
    repr, hash, len, iter, list, int, sorted, lambda value: value == "x", lambda value: value != "x", lambda value: value < "x",
    lambda value: value in {"x", "y"}, lambda value: value in ["x", "y"], lambda value: "x" in value, lambda value: value[0], lambda value: value + "x",
    lambda value: "x" + value, lambda value: value * 2, lambda value: value % (), operator.index, lambda value: f"{value:>9}", lambda value: [value] == ["x"],
]  # fmt: skip


@pytest.mark.parametrize("ask", QUESTIONS)
def test_nothing_can_be_found_out_from_a_hole(ask: Callable[[Any], object]) -> None:
    """Whatever a template asks of the value, the answer is an error, never a wrong one."""
    with pytest.raises(TypeError):
        ask(HOLE)


def test_templates_reach_nothing_of_a_hole() -> None:
    """Jinja's sandbox hides names that begin with an underscore, and it has no others."""
    assert [name for name in dir(HOLE) if not name.startswith("_")] == []
    assert HOLE
