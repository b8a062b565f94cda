"""Status and health over the control socket: of this version's sender, of another one's, and of none."""

import json
from typing import Any

import pytest

from mail_sender.cli import health_output
from mail_sender.control import inquiry
from mail_sender.control.command import Command
from mail_sender.control.handler import Handler
from mail_sender.control.inquiry import NoStatus
from mail_sender.control.verbs import VERBS
from mail_sender.errors import Exit
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.observe import disk
from mail_sender.observe.ledger_alone import LedgerAlone
from mail_sender.observe.observers import Observers
from mail_sender.observe.reporter import Reporter
from tests.unit.control.asking import answering
from tests.unit.control.handling import Clock, ask


def as_lines(*lines: dict[str, Any]) -> bytes:
    """Return an answer of these lines."""
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


async def test_a_sender_tells_its_status_and_its_health(ledger: SqliteLedger) -> None:
    """Also while it has not begun to work."""
    clock = Clock()
    reporter = Reporter(ledger, Observers(clock.now()), clock, lambda: disk.ledger_status(None))
    handler = Handler(ledger, None, clock, None, reporter)
    status, end = await ask(handler, "status")
    assert (status["status"]["answered_by"], end["end"]["exit"]) == ("sender", Exit.DONE)
    health, end = await ask(handler, "health")
    assert health == {
        "health": {"alive": True, "ready": False, "message": "alive, not ready: the first poll has not ended"}
    }
    assert [line for line in await ask(handler, "list") if "condition" in line] == []


async def test_where_no_sender_runs_each_verb_of_the_queue_says_so_first(
    ledger: SqliteLedger, state: StateFolder
) -> None:
    """The status says it in its own words, health by its exit code."""
    handler = Handler(ledger, None, Clock(), None, LedgerAlone(ledger, state, Clock()))
    for name, verb in VERBS.items():
        first, *_ = await ask(handler, name, message="ffffff")
        is_said = first.get("condition", {}).get("name") == "sender"
        assert is_said == verb.is_of_queue, name
    (end,) = await ask(handler, "health")
    assert end["end"]["exit"] == Exit.NO_SENDER
    status, _ = await ask(handler, "status")
    assert (status["status"]["answered_by"], status["status"]["sender"]) == ("ledger", None)
    second_page = await ask(handler, "list", before=7)
    assert [line for line in second_page if "condition" in line] == []


OTHERS: dict[str, list[dict[str, Any]]] = {
    "knows no status": [{"end": {"exit": 2, "message": "that command is unknown to this version"}}],
    "has another status": [{"status": {"version": 2}}, {"end": {"exit": 0, "message": None}}],
}


@pytest.mark.parametrize("which", OTHERS)
def test_a_sender_of_another_version_is_said_to_be_one(which: str, state: StateFolder) -> None:
    """And what to do about it."""
    thread = answering(state, as_lines(*OTHERS[which]))
    with pytest.raises(NoStatus, match=r"another version.*restart it") as error:
        inquiry.status(state)
    thread.join(10)
    assert error.value.exit_code == Exit.FAILED


HEALTH: dict[str, tuple[list[dict[str, Any]], bool, Exit, str]] = {
    "alive": ([{"health": {"alive": True, "ready": False, "message": "so so"}}], False, Exit.DONE, "so so"),
    "not ready": ([{"health": {"alive": True, "ready": False, "message": "so so"}}], True, Exit.FAILED, "so so"),
    "hangs": ([{"health": {"alive": False, "ready": False, "message": "hangs"}}], False, Exit.FAILED, "hangs"),
    "older": ([{"end": {"exit": 2, "message": "unknown to this version"}}], False, Exit.FAILED, "unknown to this"),
    "ends": ([], False, Exit.FAILED, "not healthy: the sender ended before it answered"),
}


@pytest.mark.parametrize("case", HEALTH)
def test_a_health_check_is_one_line_and_an_exit_code(
    case: str, state: StateFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whatever the sender answers."""
    lines, wants_ready, code, said = HEALTH[case]
    ends = [] if case in {"ends", "older"} else [{"end": {"exit": 0, "message": None}}]
    thread = answering(state, as_lines(*lines, *ends))
    assert health_output.check(LedgerConfig(state.path), wants_ready=wants_ready) == code
    thread.join(10)
    out = capsys.readouterr().out
    assert (said in out, out.count("\n")) == (True, 1)


def test_where_nobody_listens_no_sender_runs(state: StateFolder, capsys: pytest.CaptureFixture[str]) -> None:
    """The place that was looked at is named; a ledger in memory has no socket."""
    assert health_output.check(LedgerConfig(state.path), wants_ready=False) == Exit.NO_SENDER
    assert str(state.control) in capsys.readouterr().out
    assert health_output.check(LedgerConfig(kind="memory"), wants_ready=False) == Exit.NO_SENDER
    assert "[observe] listen" in capsys.readouterr().out
    assert Command("health").row.seconds <= 5
