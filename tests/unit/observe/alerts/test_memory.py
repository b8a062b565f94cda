"""What was alerted is kept over a restart; a file that is damaged costs no more than one alert too many."""

import json
from pathlib import Path

import pytest

from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.observe.alerts import memory
from mail_sender.observe.alerts.alert import Severity
from mail_sender.observe.alerts.firing import Known, Memory
from mail_sender.observe.alerts.memory import Kept
from mail_sender.observe.alerts.tally import Count
from tests.support.samples import HOUR, NOW

KNOWN = Known("relay", Severity.CRITICAL, NOW - HOUR, NOW, NOW, "the relay is down", "mend it", 3, alerted_at=NOW)
KEPT = Kept({"webhook": Memory({"relay": KNOWN}, (NOW,))}, {State.ABANDONED: Count(2, NOW - HOUR, NOW)})


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Give a state folder."""
    found = state_folder.ready(LedgerConfig(tmp_path / "state"))
    assert found is not None
    return found


def test_what_was_kept_is_read_as_it_was(state: StateFolder) -> None:
    """Times, counts and what is not there yet; without a file, nothing is kept."""
    assert memory.load(state) == Kept()
    memory.save(state, KEPT)
    assert memory.load(state) == KEPT


@pytest.mark.parametrize(
    "text",
    [
        "", "[", "[]", "{}", '{"receivers": [], "counts": {}}', '{"receivers": {"a": {}}, "counts": {}}',
        '{"receivers": {}, "counts": {"lost": {"number": 1, "first": "2026-11-21T12:00:00Z", "last": "2026-11-21T12:00:00Z"}}}',
        '{"receivers": {}, "counts": {"abandoned": {"number": "many"}}}', "[" * 100_000,
    ],
)  # fmt: skip
def test_a_damaged_file_is_as_good_as_none(state: StateFolder, text: str) -> None:
    """Whatever stands in it, no alert fails for it."""
    memory.save(state, KEPT)
    state.alerts.write_text(text)
    assert memory.load(state) == Kept()


@pytest.mark.parametrize("name", ["severity", "since", "summary", "is_there", "count", "alerted_at"])
def test_no_value_of_another_kind_is_taken(state: StateFolder, name: str) -> None:
    """It would stop the alerts when it is used."""
    memory.save(state, KEPT)
    found = json.loads(state.alerts.read_text())
    found["receivers"]["webhook"]["known"]["relay"][name] = ["x"]
    state.alerts.write_text(json.dumps(found))
    assert memory.load(state) == Kept()
