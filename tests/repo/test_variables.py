"""The tables of variables in the page about templates are those that the program goes by."""

import re

import pytest

from mail_sender.templating.kinds import COMMON, KINDS
from tests.repo import checkout

PAGE = (checkout.ROOT / "docs/templates.md").read_text()


def table(heading: str) -> dict[str, str]:
    """Return a table's rows, a variable and what it holds; a row may be about several."""
    rows = PAGE.partition(f"\n| {heading} | holds |\n|---|---|\n")[2].partition("\n\n")[0].splitlines()
    cells = [re.split(r"(?<!\\)\|", row)[1:3] for row in rows]
    return {
        name: meaning.strip().replace(r"\|", "|")
        for names, meaning in cells
        for name in re.findall(r"`(\w+)`", names)
    }


@pytest.mark.parametrize(
    ("heading", "known"), [("every kind", COMMON), *((f"`{kind}`", own) for kind, own in KINDS.items())]
)
def test_a_table_has_every_variable_of_its_kind_and_no_other(heading: str, known: dict[str, str]) -> None:
    """What is written there is what `template list` shows, in the same order and words."""
    assert list(table(heading).items()) == list(known.items())
