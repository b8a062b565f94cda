"""The states of a delivery are the same in the program, in the ledger's schema and in the document."""

import re
import sqlite3

from mail_sender.ledger.states import COMMANDS, FINAL, MOVES, State
from tests.repo import checkout

PAGE = (checkout.ROOT / "docs/delivery.md").read_text()
SCHEMA = sorted((checkout.ROOT / "mail_sender/ledger/schema").glob("*.sql"))

_ARROW = re.compile(r"    (\w+|\[\*\]) --> (\w+): (?:(operator), (\w+(?: or \w+)*)|.+)")
_ROW = re.compile(r"\| `(\w+)` \| (yes|no) \| .+ \| ([\w, ]*)\|")
_CHECK = re.compile(r"\bstate\s+TEXT\s+NOT NULL\s+CHECK\s*\(\s*state IN \(([^)]*)\)\s*\)")

Arrow = tuple[str, str, str, str]
"""From, to, and for the operator's arrows "operator" and the verb, or "one or another"."""


def diagram() -> list[Arrow]:
    """Every line of the diagram; one that is no arrow is an error."""
    (block,) = re.findall(r"(?s)```mermaid\nstateDiagram-v2\n(.*?)```", PAGE)
    odd = [line for line in block.splitlines() if not _ARROW.fullmatch(line)]
    assert odd == []
    return [(old, new, who, verb) for old, new, who, verb in _ARROW.findall(block)]


def arrows(*, operator: bool) -> list[tuple[str, str]]:
    """The moves of the flow, or those of the operator, as often as they are drawn."""
    return [(old, new) for old, new, who, _ in diagram() if old != "[*]" and bool(who) is operator]


def table() -> list[tuple[str, str, set[str]]]:
    """The rows of the table of states: state, whether it is final, and what the operator may do."""
    section = PAGE.split("\n## The states\n")[1].split("\n## ")[0]
    return [(state, final, set(verbs.replace(",", " ").split())) for state, final, verbs in _ROW.findall(section)]


def test_the_diagram_draws_every_move_of_the_flow_once() -> None:
    """What the flow may do is what the reader sees, no more and no less."""
    assert sorted(arrows(operator=False)) == sorted((old.value, new.value) for old, new in MOVES)


def test_the_diagram_draws_every_order_of_the_operator_once() -> None:
    """Only arrows that say "operator" leave a final state."""
    assert sorted(arrows(operator=True)) == sorted((old.value, new.value) for old, new in COMMANDS)


def test_the_diagram_has_every_state_and_begins_at_queued() -> None:
    """A state that nothing leads to, or one that the program does not know, is drawn nowhere."""
    assert {new for _, new, _, _ in diagram()} == set(State)
    assert [new for old, new, _, _ in diagram() if old == "[*]"] == [State.QUEUED]


def test_the_table_has_every_state_once_and_says_which_are_final() -> None:
    """Final is what the flow never leaves."""
    assert [(state, final) for state, final, _ in table()] == [
        (state.value, "yes" if state in FINAL else "no") for state in State
    ]


def test_the_table_names_the_verbs_that_the_diagram_draws() -> None:
    """What the operator may do with a delivery stands in its row."""
    verbs = [(old, verb) for old, _, _, drawn in diagram() for verb in drawn.split(" or ") if verb]
    drawn = {state.value: {verb for old, verb in verbs if old == state} for state in State}
    assert {state: verbs for state, _, verbs in table()} == drawn


def test_the_schema_takes_every_state_and_no_other() -> None:
    """Of all the numbered files what counts is the table that they make."""
    ledger = sqlite3.connect(":memory:")
    for script in SCHEMA:
        ledger.executescript(script.read_text())
    (made,) = ledger.execute("SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'delivery'").fetchone()
    ledger.close()
    (allowed,) = _CHECK.findall(made)
    assert sorted(re.findall(r"'(\w+)'", allowed)) == sorted(State)
