"""What is observed is counted under the right labels, and the series are known beforehand, bounded, and name nobody."""

from dataclasses import replace
from datetime import timedelta

import pytest
from prometheus_client.parser import text_string_to_metric_families

from mail_sender.ledger.base import Attempt
from mail_sender.ledger.states import FINAL, State
from mail_sender.ledger.summary import ATTEMPTS
from mail_sender.observe.kind_labels import MOST_UNKNOWN, OTHER
from mail_sender.observe.metrics import Metrics
from mail_sender.observe.status import Expiry, LateLoop, Status
from mail_sender.sender.observation import (
    Committed,
    Marked,
    NextPoll,
    Observation,
    Polled,
    PollFailed,
    Recorded,
    Rendered,
    Spoken,
)
from mail_sender.templating.kinds import KINDS
from mail_sender.verdict import Stage
from tests.support.samples import NOW
from tests.support.statuses import SECRET, status

KIND = "test_message_v1"
MOST_SERIES = 800


def read(metrics: Metrics, of: Status | None = None, *, is_standing_by: bool = False) -> dict[str, float]:
    """Return every sample of an exposition, by its name and labels without the prefix."""
    text = metrics.exposition(of, is_standing_by=is_standing_by).decode()
    return {
        sample.name.removeprefix("mail_sender_")
        + "".join(f" {value}" for value in sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def recorded(state: State, verdict: str | None = None, stage: str = "dot", kind: str = KIND) -> Recorded:
    attempt = None if verdict is None else Attempt(NOW, stage, verdict, None, SECRET, 0.5)
    return Recorded(NOW, kind, state, attempt, 2.0)


@pytest.mark.parametrize(
    ("seen", "changed"),
    [
        (Polled(NOW, 0.2, 3, 1), {"polls_total succeeded": 1, "poll_duration_seconds_count": 1}),
        (PollFailed(NOW, 0.2, "unreachable"), {"polls_total failed": 1}),
        (NextPoll(NOW), {}),
        (Rendered(KIND, 0.002), {"render_duration_seconds_sum": 0.002, "render_duration_seconds_count": 1}),
        (Spoken(Stage.RCPT, 0.03), {"smtp_stage_duration_seconds_count rcpt": 1}),
        (Committed("dot", 0.001), {"commit_duration_seconds_count dot": 1}),
        (Marked(NOW, 0.1, done=True), {"marks_total succeeded": 1, "mark_duration_seconds_count": 1}),
        (Marked(NOW, 0.1, done=False), {"marks_total failed": 1, "mark_duration_seconds_count": 1}),
        (
            recorded(State.SENT, "accepted"),
            {
                "attempts_total dot accepted": 1,
                f"deliveries_finished_total {KIND} sent": 1,
                "queued_to_accepted_duration_seconds_sum": 2.0,
                "queued_to_accepted_duration_seconds_bucket 2.5": 1,
            },
        ),
        (
            recorded(State.FAILED, "refused", "render", "strange_v9"),
            {"attempts_total render refused": 1, "deliveries_finished_total strange_v9 failed": 1},
        ),
        (recorded(State.QUEUED, "deferred", "rcpt"), {"attempts_total rcpt deferred": 1}),
        (recorded(State.WITHDRAWN, "withdrawn", "server"), {f"deliveries_finished_total {KIND} withdrawn": 1}),
        (recorded(State.HELD, "held", "render"), {}),
        (recorded(State.EXPIRED), {f"deliveries_finished_total {KIND} expired": 1}),
    ],
)
def test_an_observation_is_counted_where_it_belongs(seen: Observation, changed: dict[str, float]) -> None:
    """Each raises what it is about, from 0, and no other counter."""
    metrics = Metrics()
    before = read(metrics)
    metrics.observe(seen)
    after = read(metrics)
    named = {name for name in after if not name.startswith(("process_", "python_"))}
    moved = {name: after[name] for name in named if after[name] != before.get(name, 0)}
    assert changed.items() <= moved.items()
    counted = {name for name in moved if "_bucket" not in name and "_sum" not in name and "_count" not in name}
    assert counted == {name for name in changed if "_total" in name}


def test_every_series_is_there_before_anything_happened() -> None:
    """rate() and increase() see the first event as well: it follows a 0."""
    samples = read(Metrics())
    for verdict in ATTEMPTS:
        assert [
            value
            for name, value in samples.items()
            if name.startswith("attempts_total ") and name.endswith(f" {verdict}")
        ]
    for state in FINAL:
        assert samples[f"deliveries_finished_total {KIND} {state}"] == 0
    for stage in Stage:
        assert samples[f"smtp_stage_duration_seconds_count {stage}"] == 0
    assert samples["polls_total failed"] == samples["marks_total failed"] == 0


def test_what_a_status_says_are_gauges() -> None:
    """Times as seconds since 1970, states as 1 of several, and what is down with its kind."""
    well = read(Metrics(), status())
    assert (well["alive"], well["ready"], well["standing_by"], well["condition_up relay"]) == (1, 1, 0, 1)
    assert (well["oldest_waiting_seconds"], well["unmarked_messages"], well["in_flight"]) == (90, 1, 1)
    assert (well["server_messages"], well["server_malformed_entries"], well["held_back_deliveries"]) == (2, 1, 0)
    assert well["last_good_poll_timestamp_seconds"] == NOW.timestamp()
    assert well["expiry_timestamp_seconds token"] == (NOW + timedelta(days=30)).timestamp()
    assert (well["ledger_size_bytes"], well["ledger_free_bytes"]) == (4096, 10**9)
    assert (well[f"deliveries {KIND} queued"], well["deliveries strange_v9 queued"]) == (1, 1)
    assert well[f"deliveries {KIND} held"] == 0
    down = read(Metrics(), status(ready=False, breaker="open", fault="auth"))
    assert [down[f"breaker_state {state}"] for state in ("closed", "open", "half-open")] == [0, 1, 0]
    assert (down["condition_up relay"], down["condition_up server"], down["ready"]) == (0, 1, 0)
    assert down["fault_since_timestamp_seconds relay auth"] == NOW.timestamp()


def test_what_is_not_known_has_no_series_and_what_is_over_goes() -> None:
    """Rather than a 0 that would be wrong: before the first poll, while the ledger cannot be read, standing by."""
    metrics = Metrics()
    full = read(metrics, status(fault="auth"))
    unread = read(metrics, replace(status(), queue=None, server=None, relay=None))
    assert {
        "oldest_waiting_seconds",
        "last_poll_timestamp_seconds",
        "in_flight",
        "fault_since_timestamp_seconds relay auth",
    } & {*unread} == set()
    assert unread["alive"] == 1
    waiting = read(metrics, is_standing_by=True)
    assert (waiting["standing_by"], "alive" in waiting, "alive" in full) == (1, False, True)
    assert read(metrics)["standing_by"] == 0
    nothing_waits = status().queue
    assert nothing_waits is not None
    empty = replace(nothing_waits, oldest_waiting_at=None)
    assert read(metrics, replace(status(), queue=empty))["oldest_waiting_seconds"] == 0


def test_the_number_of_series_is_bounded_whatever_the_server_lists() -> None:
    """Unknown kinds have labels up to a number, and are `other` from there on; nothing secret is a label."""
    metrics = Metrics()
    for number in range(10 * MOST_UNKNOWN):
        metrics.observe(recorded(State.SENT, "accepted", kind=f"kind_{number}"))
    found = status(fault="auth")
    assert found.queue is not None
    assert found.sender is not None
    kinds = {f"kind_{number}": {"queued": 1} for number in range(10 * MOST_UNKNOWN)}
    late = [LateLoop(loop=loop, late_seconds=1.0) for loop in ("poll", "dispatch", "mark")]
    full = replace(
        found,
        queue=replace(found.queue, kinds=kinds),
        sender=replace(found.sender, late_loops=late),
        expiries=[Expiry(name=f"{name}_certificate", expires_at=NOW) for name in ("server", "relay", "client")],
    )
    samples = read(metrics, full)
    assert samples[f"deliveries {OTHER} queued"] == samples[f"deliveries_finished_total {OTHER} sent"]
    assert samples[f"deliveries {OTHER} queued"] == 9 * MOST_UNKNOWN
    assert (
        len({name.split()[1] for name in samples if name.startswith("deliveries ")}) == len(KINDS) + MOST_UNKNOWN + 1
    )
    assert len(samples) < MOST_SERIES
    assert SECRET not in metrics.exposition(full).decode()
