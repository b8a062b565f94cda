"""What one run achieved: the exit code and the sentence, from what was observed and what is left."""

from collections import Counter
from dataclasses import fields
from typing import Any

import pytest

from mail_sender.ledger.base import Attempt
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import Summary
from mail_sender.observe.run_result import Run, RunResult
from mail_sender.sender.observation import Polled, PollFailed, Recorded
from tests.support.samples import NOW

POLLED = Polled(NOW, 0.1, 3, 0)


def recorded(state: State, verdict: str | None = "accepted") -> Recorded:
    """Return that a delivery was recorded in a state, after an attempt with this verdict."""
    attempt = None if verdict is None else Attempt(NOW, "dot", verdict, 250, "", 0.1)
    return Recorded(NOW, "test_message_v1", state, attempt, 1.0)


def left(unmarked: int = 0, **states: int) -> Summary:
    """Return what is left in the ledger."""
    counts = Counter({State(name): count for name, count in states.items()})
    known = {"states": counts, "unmarked": unmarked, "oldest_waiting_at": NOW if counts[State.QUEUED] else None}
    values: dict[str, Any] = dict.fromkeys((field.name for field in fields(Summary)), ()) | known
    return Summary(**values)


@pytest.mark.parametrize(
    ("seen", "ledger", "code", "sentence"),
    [
        ([POLLED], left(), 0, "all is done"),
        ([POLLED, recorded(State.SENT)], left(sent=7), 0, "all is done"),
        ([POLLED, recorded(State.WITHDRAWN, None)], left(withdrawn=1), 0, "all is done"),
        ([POLLED], left(failed=3, abandoned=1, expired=1), 0, "all is done"),
        ([POLLED, recorded(State.QUEUED, "deferred")], left(queued=1), 75, "what waits is tried by the next run"),
        ([POLLED], left(processing=1), 75, "what waits is tried by the next run"),
        ([POLLED], left(unmarked=2, sent=2), 75, "2 sent, but not marked on the server: the next run marks them"),
        ([], left(), 75, "the queue could not be polled"),
        ([PollFailed(NOW, 1.0, "server_unreachable")], left(queued=1), 75, "the queue could not be polled; what waits"),
        ([POLLED], None, 75, "the ledger cannot be read"),
        ([POLLED, recorded(State.FAILED, "refused")], left(failed=1), 1, "all is done"),
        ([POLLED, recorded(State.FAILED, "refused")], left(failed=1, queued=1), 1, "what waits is tried by the next"),
        ([POLLED, recorded(State.ABANDONED, "deferred")], left(abandoned=1), 1, "all is done"),
        ([POLLED, recorded(State.EXPIRED, None)], left(expired=1), 1, "all is done"),
        ([POLLED], left(held=2), 1, "2 held: correct the template, or update mail-sender"),
        ([POLLED], left(unknown=1), 1, "1 may have arrived: `mail-sender queue list --status unknown` shows them"),
        ([Polled(NOW, 0.1, 3, 2)], left(), 1, "2 of the queue's entries cannot be read: the log names them"),
    ],
)  # fmt: skip
def test_the_exit_code_says_whether_somebody_has_to_look(
    seen: list[Any], ledger: Summary | None, code: int, sentence: str
) -> None:
    """What was given up in this run, and what no run mends, is 1; what the next run tries is 75."""
    run = Run()
    for one in seen:
        run.observe(one)
    result = RunResult(run, ledger)
    assert result.exit_code == code
    assert str(result).startswith(sentence)


def test_the_counts_are_those_of_the_run_and_of_what_waits() -> None:
    """A mail that the relay is too busy for is no refusal; who waits longest is named by its time."""
    run = Run()
    for one in (recorded(State.SENT), recorded(State.QUEUED, "deferred"), recorded(State.QUEUED, "relay_down")):
        run.observe(one)
    counts = {"sent": 1, "deferred": 1, "failed": 0, "waiting": 2, "waiting_since": f"{NOW:%Y-%m-%dT%H:%M:%SZ}"}
    assert RunResult(run, left(queued=2, sent=9)).counts == counts
    assert RunResult(run, left(), is_dry=True).counts["written"] == 1
