"""The gauges: what the status says at the time of a scrape; two tables, and pure functions of the status.

What is not known (no poll yet, no certificate seen yet, a ledger that cannot be read) has no series, rather than a
wrong number. While the sender stands by, `mail_sender_standing_by` and the build are all there is.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from functools import partial

from prometheus_client.metrics_core import GaugeMetricFamily

from mail_sender.ledger.states import State
from mail_sender.observe.kind_labels import KindLabels
from mail_sender.observe.status import RelayStatus, Status

BREAKER = ("closed", "open", "half-open")
CONDITIONS = (
    "server",
    "relay",
    "fallback",
    "ledger",
    "clock",
    "configuration",
    "replicas",
    "domain",
    "loop",
    "template",
    "alerts",
)
"""The conditions that have a series while they are up, too."""

PLAIN = {
    "alive": ("sender.alive", "1 while all loops turn; 0 when one hangs."),
    "ready": ("sender.ready", "1 while polls succeed and mail goes through a relay."),
    "in_flight_limit": ("relay.most_in_flight", "How many mails may be in flight to the first relay now."),
    "unmarked_messages": ("queue.unmarked", "Messages that are sent, and not yet marked as sent on the server."),
    "relay_token_expiry_timestamp_seconds": (
        "relay.token_expires_at",
        "When the OAuth token of the relay's login ends; it is renewed before.",
    ),
    "server_messages": ("server.ready", "Messages that the last good poll listed."),
    "server_malformed_entries": ("server.malformed", "Entries of the last good poll that cannot be read."),
    "last_poll_timestamp_seconds": ("server.last_poll_at", "When the last poll ended."),
    "last_good_poll_timestamp_seconds": ("server.last_good_poll_at", "When the last poll that succeeded ended."),
    "next_poll_timestamp_seconds": ("server.next_poll_at", "When the next poll is due."),
    "last_accepted_timestamp_seconds": ("queue.last_accepted_at", "When the relay last accepted a mail."),
    "ledger_size_bytes": ("ledger.size_bytes", "Size of the ledger."),
    "ledger_free_bytes": ("ledger.free_bytes", "Free space of the disk that the ledger is on."),
}
"""Each gauge without labels, by its name without the prefix: where its value stands in the status, and its text."""

Samples = Iterable[tuple[tuple[str, ...], float]]
"""Values by their labels."""


class StatusCollector:
    """Gives the gauges of `status` to a registry; None: nothing is known now."""

    def __init__(self, kinds: KindLabels) -> None:
        self.status: Status | None = None
        self.is_standing_by = True
        self._kinds = kinds

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield every gauge; those of which nothing is known have no series."""
        standing_by = "1 while another mail-sender uses the ledger, and this one waits."
        yield GaugeMetricFamily("mail_sender_standing_by", standing_by, value=self.is_standing_by)
        for name, (path, text) in PLAIN.items():
            yield self._family(name, text, (), partial(_at, path))
        for name, (labels, text, samples) in COMPUTED.items():
            yield self._family(name, text, labels, samples)
        text = "Deliveries in the ledger, by kind of message and state."
        yield self._family("deliveries", text, ("kind", "state"), self._deliveries)

    def _family(
        self, name: str, text: str, labels: tuple[str, ...], samples: Callable[[Status], Samples]
    ) -> GaugeMetricFamily:
        family = GaugeMetricFamily(f"mail_sender_{name}", text, labels=labels)
        for values, number in samples(self.status) if self.status else ():
            family.add_metric(values, number)
        return family

    def _deliveries(self, status: Status) -> Samples:
        if status.queue is None:
            return []
        found = Counter({(kind, str(state)): 0 for kind in self._kinds.labels for state in State})
        for kind, states in status.queue.kinds.items():
            for state, number in states.items():
                found[self._kinds.of(kind), state] += number
        return [(labels, float(number)) for labels, number in found.items()]


def _at(path: str, status: Status) -> Samples:
    """Return the value at a place in the status, if it is known; a time as seconds since 1970."""
    found: object = status
    for name in path.split("."):
        found = None if found is None else getattr(found, name)
    if isinstance(found, datetime):
        return [((), found.timestamp())]
    return [((), float(found))] if isinstance(found, int | float) else []


def _loops(status: Status) -> Samples:
    return [((late.loop,), late.late_seconds) for late in status.sender.late_loops] if status.sender else []


def _conditions(status: Status) -> Samples:
    down = {one.name for one in status.conditions}
    return [((name,), float(name not in down)) for name in dict.fromkeys((*CONDITIONS, *sorted(down)))]


def _faults(status: Status) -> Samples:
    # Two faults of one kind are one series, since the earlier one.
    latest_first = sorted(status.conditions, key=lambda one: one.since, reverse=True)
    return [*{(one.name, one.kind): one.since.timestamp() for one in latest_first}.items()]


def _breaker(status: Status) -> Samples:
    return [((state,), float(status.relay.breaker == state)) for state in BREAKER] if status.relay else []


def _relays(status: Status) -> Iterator[tuple[str, RelayStatus]]:
    """Yield the relays, each with the name that it has in a label: `first`, `fallback_1` and so on."""
    if status.relay:
        yield "first", status.relay
    for number, fallback in enumerate(status.fallbacks, 1):
        yield f"fallback_{number}", fallback


def _in_flight(status: Status) -> Samples:
    return [((), float(sum(relay.in_flight for _, relay in _relays(status))))] if status.relay else []


def _carries(status: Status) -> Samples:
    return [((name,), float(relay.carries)) for name, relay in _relays(status)]


def _breakers(status: Status) -> Samples:
    return [((name, state), float(relay.breaker == state)) for name, relay in _relays(status) for state in BREAKER]


def _oldest(status: Status) -> Samples:
    if status.queue is None:
        return []
    at = status.queue.oldest_waiting_at
    return [((), max(0.0, (status.at - at).total_seconds()) if at else 0.0)]


def _replicas(status: Status) -> Samples:
    return [((), float(len(status.replicas)))] if status.replicas else []


def _polling(status: Status) -> Samples:
    return [((), float(one.polls)) for one in status.replicas if one.answers]


def _held_back(status: Status) -> Samples:
    return [((), float(sum(one.deliveries for one in status.held_back)))]


def _expiries(status: Status) -> Samples:
    return [((end.name,), end.expires_at.timestamp()) for end in status.expiries]


_OF_EACH = "1 for the state of this relay's breaker; the relays are first, fallback_1 ..."

COMPUTED: dict[str, tuple[tuple[str, ...], str, Callable[[Status], Samples]]] = {
    "oldest_waiting_seconds": ((), "How long the oldest delivery waits that is not final; 0: none waits.", _oldest),
    "held_back_deliveries": ((), "Deliveries that a limit of the configuration holds back.", _held_back),
    "replicas": ((), "Senders that share the ledger and live, this one with them.", _replicas),
    "polling": (
        (),
        "1 while this sender polls for all that share the ledger; 0 while another one does.",
        _polling,
    ),
    "loop_late_seconds": (("loop",), "By how much a loop that hangs is late.", _loops),
    "condition_up": (("condition",), "1 while all is well with it; 0 while it has a fault.", _conditions),
    "fault_since_timestamp_seconds": (("condition", "kind"), "Since when there is this fault.", _faults),
    "in_flight": ((), "Mails that are being delivered now, through all relays.", _in_flight),
    "breaker_state": (("state",), "1 for the state that the first relay's circuit breaker is in.", _breaker),
    "relay_breaker_state": (("relay", "state"), _OF_EACH, _breakers),
    "relay_carries": (("relay",), "1 for the relay that mail goes through now; 0 for the others.", _carries),
    "expiry_timestamp_seconds": (("name",), "When a token or a certificate expires.", _expiries),
}
"""The other gauges: their labels, their text, and how their values follow from the status."""
