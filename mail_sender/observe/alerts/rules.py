"""The rules: what of a status is worth an alert, each with a key that stays, its beginning, and what to do.

Two causes with one reason make one alert: while the identity server is at fault, nobody is told as well that polls
fail.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from mail_sender.ledger.states import OPEN, State
from mail_sender.observe.alerts.alert import Severity
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.tally import Count
from mail_sender.observe.status import ConditionStatus, Expiry, Status
from mail_sender.observe.words import deliveries

MOST_KEYS = 50
"""Causes that are looked at in one turn, so that a receiver is never flooded."""

_NOT_HERE = frozenset({"alerts", "loop"})
"""The condition of alerting itself, of which no alert can tell; and loops, of which each is a cause of its own."""
_AT_ONCE = timedelta(0)
_LATE = timedelta(minutes=1)
"""A loop that hangs is alerted after this at the latest: nothing mends it but a restart."""

CONDITIONS: Mapping[str, tuple[Severity, str]] = {
    "relay": (Severity.CRITICAL, "the relay cannot be used"),
    "fallback": (Severity.WARNING, "a fallback of the relay cannot be used"),
    "server": (Severity.CRITICAL, "the identity server cannot be used"),
    "ledger": (Severity.CRITICAL, "the ledger cannot be used"),
    "template": (Severity.WARNING, "mails cannot be made"),
    "reading": (Severity.WARNING, "messages cannot be read one by one"),
    "clock": (Severity.WARNING, "the clocks of this machine and of the server differ"),
    "configuration": (Severity.WARNING, "the configuration has faults"),
    "replicas": (Severity.WARNING, "the senders that share the ledger differ"),
    "domain": (Severity.WARNING, "the DNS of the From domain may keep mail from arriving"),
}
"""How bad each condition is, and what it is, in words."""
_GIVEN_UP: Mapping[State, tuple[str, str]] = {
    State.ABANDONED: (
        "the relay did not accept {}",
        "run `mail-sender queue list --status abandoned`; `mail-sender queue retry ID` starts over",
    ),
    State.UNKNOWN: (
        "nobody knows whether {} arrived: the connection was cut off after the final dot",
        "run `mail-sender queue list --status unknown`; ask the person, then `queue resend ID` or `queue abandon ID`",
    ),
}
_EXPIRIES: Mapping[str, tuple[str, str]] = {
    "token": (
        "the token",
        "kanidm service-account api-token generate NAME mail-sender --readwrite, and put it into the config",
    ),
    "server_certificate": ("the identity server's certificate", "renew it on the identity server"),
    "relay_certificate": ("the relay's certificate", "renew it on the relay, or ask its operator"),
    "client_certificate": ("our client certificate", "renew the file that [relay] client_cert_path names"),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """Something that is wrong now.

    `since` is None where only the watching shows how long it lasts. It is alerted when it has lasted for `after`.
    `counts_up` says that a larger `count` is news.
    """

    key: str
    severity: Severity
    since: datetime | None
    after: timedelta
    summary: str
    advice: str
    count: int | None = None
    counts_up: bool = False


def causes(status: Status, given_up: Mapping[State, Count], config: AlertConfig) -> list[Cause]:
    """Return what is wrong at the time of the status."""
    found = [
        *_conditions(status, config),
        *_loops(status, config),
        *_polls(status, config),
        *_oldest(status, config),
        *_given_up(given_up),
        *_expiries(status, config),
    ]
    return found[:MOST_KEYS]


def unreadable(config: AlertConfig) -> Cause:
    """Return the cause that nothing can be said of the sender: its status cannot be read."""
    summary = "the status of the sender cannot be read: its ledger does not answer"
    return Cause("status_unreadable", Severity.CRITICAL, None, config.after, summary, "check the disk of the ledger")


def waiting(status: Status) -> int | None:
    """Return how many deliveries wait for their mail, if the ledger can be read."""
    return sum(status.queue.states.get(state, 0) for state in OPEN) if status.queue is not None else None


def _conditions(status: Status, config: AlertConfig) -> Iterator[Cause]:
    for one in status.conditions:
        if one.name not in _NOT_HERE:
            severity, what = CONDITIONS.get(one.name, (Severity.WARNING, f"there is a fault of: {one.name}"))
            severity = severity if one.blocks else Severity.WARNING  # such as a relay for which a fallback stands in
            summary = f"{what}: {one.detail}"
            key = f"{one.name}_down"
            yield Cause(key, severity, one.since, config.after, summary, one.advice, waiting(status))


def _loops(status: Status, config: AlertConfig) -> Iterator[Cause]:
    for late in status.sender.late_loops if status.sender else ():
        since = status.at - timedelta(seconds=late.late_seconds)
        summary = f"the sender's loop {late.loop} hangs: it should have gone on {late.late_seconds:.0f} s ago"
        advice = "restart mail-sender, and report it with the log before it"
        after = min(config.after, _LATE)
        yield Cause(f"loop_{late.loop}", Severity.CRITICAL, since, after, summary, advice, waiting(status))


def _polls(status: Status, config: AlertConfig) -> Iterator[Cause]:
    server, sender = status.server, status.sender
    if server is None or sender is None or sender.late_loops or _have(status.conditions, "server", "ledger"):
        return
    last, overdue = server.last_good_poll_at, server.next_poll_at is not None and status.at > server.next_poll_at
    if server.last_poll_at is not None and server.last_poll_at == last and not overdue:
        return
    since = sender.started_at if last is None else server.next_poll_at if overdue else None
    when = "since the start" if last is None else f"since {last:%Y-%m-%d %H:%M} UTC"
    summary = f"the queue of the identity server was not read {when}"
    advice = "read the log of mail-sender, and run `mail-sender doctor`"
    yield Cause("polls_overdue", Severity.CRITICAL, since, config.after, summary, advice, waiting(status))


def _have(conditions: list[ConditionStatus], *names: str) -> bool:
    return any(one.name in names for one in conditions)


def _oldest(status: Status, config: AlertConfig) -> Iterator[Cause]:
    oldest, number = status.queue.oldest_waiting_at if status.queue is not None else None, waiting(status)
    if oldest is not None and status.at - oldest >= config.oldest_waiting:
        minutes = int((status.at - oldest).total_seconds() // 60)
        summary = f"the oldest of {deliveries(number or 1)} has waited for {minutes} min"
        advice = "run `mail-sender status` and `mail-sender queue list`"
        yield Cause("oldest_waiting", Severity.CRITICAL, oldest, config.oldest_waiting, summary, advice, number)


def _given_up(counts: Mapping[State, Count]) -> Iterator[Cause]:
    for state, count in counts.items():
        what, advice = _GIVEN_UP[state]
        summary = f"{what.format(deliveries(count.number))} (since {count.first:%Y-%m-%d %H:%M} UTC)"
        key = f"messages_{state}"
        yield Cause(key, Severity.WARNING, count.first, _AT_ONCE, summary, advice, count.number, counts_up=True)


def _expiries(status: Status, config: AlertConfig) -> Iterator[Cause]:
    for one in status.expiries:
        begins = one.expires_at - config.expires_within
        if status.at >= begins:
            what, advice = _EXPIRIES.get(one.name, (one.name.replace("_", " "), "renew it"))
            summary = f"{what} {_ends(one, status.at)}"
            yield Cause(f"{one.name}_expires", Severity.WARNING, begins, _AT_ONCE, summary, advice)


def _ends(one: Expiry, now: datetime) -> str:
    left = one.expires_at - now
    if left <= timedelta(0):
        return f"has expired on {one.expires_at:%Y-%m-%d %H:%M} UTC"
    how_long = f"{left.days} days" if left.days > 1 else f"{int(left.total_seconds() // 3600)} h"
    return f"expires in {how_long}, on {one.expires_at:%Y-%m-%d %H:%M} UTC"
