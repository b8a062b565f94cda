"""The metrics: counters and histograms of what was observed, and gauges of the status at the time of a scrape.

Names follow Prometheus' conventions: base units, `_total` for counters, `_timestamp_seconds` for times. Every series
that can be known beforehand is there from the start, with 0, so that rate() sees the first event, too. No label holds
an address, an id, a domain or a secret, and the number of series is bounded.

They count since the listener was switched on. docs/monitoring.md has a table of them, which a test compares.
"""

import platform
from collections.abc import Iterable

from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from prometheus_client.gc_collector import GCCollector
from prometheus_client.metrics import Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import CollectorRegistry

from mail_sender import __version__
from mail_sender.ledger.states import FINAL, State
from mail_sender.ledger.summary import ATTEMPTS
from mail_sender.observe.gauges import StatusCollector
from mail_sender.observe.kind_labels import KindLabels
from mail_sender.observe.status import Status
from mail_sender.sender.observation import (
    Committed,
    Followed,
    Marked,
    NextPoll,
    Observation,
    Polled,
    PollFailed,
    Recorded,
    Rendered,
    Spoken,
)
from mail_sender.verdict import Accepted, Stage, Uncertain

CONTENT_TYPE = CONTENT_TYPE_PLAIN_0_0_4
RENDERING = "render"
"""The stage of an attempt for which no mail could be made."""
BUILD = ("version", "python")

_POLL = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60)
_RENDER = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5)
_SMTP = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)
_COMMIT = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 30)
_MARK = (0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60)
_ON_THE_WAY = (1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 14400, 86400)


class Metrics:
    """All metrics of a process: `observe` takes in what happens, `exposition` gives them as Prometheus reads them."""

    def __init__(self) -> None:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # the library has no type for it
        self.registry = CollectorRegistry()
        self._kinds = KindLabels()
        self._polls = self._counter("polls", "Polls of the identity server's queue.", "result")
        self._attempts = self._counter("attempts", "Attempts to deliver, by verdict and stage.", "verdict", "stage")
        self._finished = self._counter("deliveries_finished", "Deliveries that came to an end.", "kind", "state")
        self._marks = self._counter("marks", "Tries to mark a message as sent on the server.", "result")
        self._poll = self._histogram("poll", "Time of a poll that succeeded.", _POLL)
        self._render = self._histogram("render", "Time to make one mail.", _RENDER)
        self._stage = self._histogram("smtp_stage", "Time of one step of SMTP, well or not.", _SMTP, "stage")
        self._commit = self._histogram(
            "commit", "Time of one commit of the ledger, with the wait for what shares it.", _COMMIT, "operation"
        )
        self._mark = self._histogram("mark", "Time to mark one message as sent.", _MARK)
        self._accepted = self._histogram(
            "queued_to_accepted", "Time from when a message was to be sent until the relay accepted it.", _ON_THE_WAY
        )
        self._status = StatusCollector(self._kinds)
        self.registry.register(self._status)
        self._begin_at_zero()
        build = Gauge("mail_sender_build_info", "1; the labels name the versions.", BUILD, registry=self.registry)
        build.labels(__version__, platform.python_version()).set(1)
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow."""
        match seen:
            case Polled(_, seconds):
                self._polls.labels("succeeded").inc()
                self._poll.observe(seconds)
            case PollFailed():
                self._polls.labels("failed").inc()
            case Rendered(_, seconds):
                self._render.observe(seconds)
            case Spoken(stage, seconds):
                self._stage.labels(stage).observe(seconds)
            case Committed(what, seconds):
                self._commit.labels(what).observe(seconds)
            case Recorded():
                self._recorded(seen)
            case Marked(_, seconds, done):
                self._marks.labels("succeeded" if done else "failed").inc()
                self._mark.observe(seconds)
            case NextPoll() | Followed():
                pass

    def exposition(self, status: Status | None, *, is_standing_by: bool = False) -> bytes:
        """Return the metrics as text, with the gauges of this status; None: it is not known now."""
        self._status.status, self._status.is_standing_by = status, is_standing_by
        return generate_latest(self.registry)

    def _recorded(self, seen: Recorded) -> None:
        if seen.attempt is not None and seen.attempt.verdict in ATTEMPTS:
            self._attempts.labels(seen.attempt.verdict, seen.attempt.stage).inc()
        if seen.state in FINAL:
            self._finished.labels(self._kinds.of(seen.kind), seen.state).inc()
        if seen.state is State.SENT:
            self._accepted.observe(max(0.0, seen.waited))

    def _begin_at_zero(self) -> None:
        for result in ("succeeded", "failed"):
            self._polls.labels(result)
            self._marks.labels(result)
        for verdict in ATTEMPTS:
            for stage in _stages_of(verdict):
                self._attempts.labels(verdict, stage)
        for kind in self._kinds.labels:
            for state in FINAL:
                self._finished.labels(kind, state)
        for stage in Stage:
            self._stage.labels(stage)
        for what in ("dot", "outcome"):
            self._commit.labels(what)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, namespace="mail_sender", registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: Iterable[float], *labels: str) -> Histogram:
        return Histogram(
            f"{name}_duration_seconds", text, labels, "mail_sender", registry=self.registry, buckets=[*buckets]
        )


def _stages_of(verdict: str) -> list[str]:
    """Return the stages at which an attempt can end with a verdict."""
    if verdict in {Accepted.name, Uncertain.name}:
        return [Stage.DOT]
    if verdict == "interrupted":
        return [Stage.MAIL, Stage.BODY, Stage.DOT]
    return [*Stage, *([RENDERING] if verdict == "refused" else [])]
