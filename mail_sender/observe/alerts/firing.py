"""Firing: which causes are alerted now, and which alerts are over. Pure: no I/O, and time is a parameter.

1. A cause is alerted once it has lasted for as long as it says, then again every `repeat`, and, if it counts up, when
   it has counted up, at most every quarter of an hour.
2. It is over if it was absent for a while: what comes and goes in between stays one alert.
3. What was never alerted is dropped when its cause is gone.
4. No receiver gets more than `max_per_hour`. What is more stays due: the urgent ones go first.

A memory changes by `seen` in each turn, and by `delivered` when a receiver has taken an alert. What it did not take
is due again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from mail_sender.observe.alerts.alert import Alert, Severity
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.rules import Cause
from mail_sender.observe.words import span

GATHER = timedelta(minutes=15)
"""Between two alerts of a cause that counts up."""
SETTLE = timedelta(minutes=1)
"""So long a cause is absent before its alert is over; shorter if `after` is."""
START = timedelta(minutes=2)
"""What was alerted before a start is not over for so long: the first attempts and polls must show it."""

_HOUR = timedelta(hours=1)
_URGENCY = {severity: number for number, severity in enumerate(Severity)}


@dataclass(frozen=True, slots=True)
class Known:
    """A cause that is there, or was alerted.

    `due_at` is when it is to be alerted for the first time, `seen_at` when it was last there, `alerted_at` when a
    receiver last took it, with which `alerted_count`.
    """

    key: str
    severity: Severity
    since: datetime
    due_at: datetime
    seen_at: datetime
    summary: str
    advice: str
    count: int | None = None
    counts_up: bool = False
    is_there: bool = True
    alerted_at: datetime | None = None
    alerted_count: int | None = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What one receiver should know and has been sent: causes by key, and when it took those of the last hour."""

    known: Mapping[str, Known] = field(default_factory=dict)
    sent_at: tuple[datetime, ...] = ()


@dataclass(frozen=True, slots=True)
class Due:
    """The alerts to deliver now, the urgent ones first; so many more are held back by the limit."""

    alerts: tuple[Alert, ...]
    held_back: int = 0


def started(memory: Memory, now: datetime) -> Memory:
    """Return the memory that a process begins with: of what it read, nothing is over yet."""
    return replace(
        memory, known={key: replace(one, is_there=False, seen_at=now + START) for key, one in memory.known.items()}
    )


def seen(memory: Memory, causes: Sequence[Cause], now: datetime, *, are_all: bool = True) -> Memory:
    """Return the memory after a look at what is wrong now; unless these `are_all`, nothing else ends."""
    known = {cause.key: _known(cause, memory.known.get(cause.key), now) for cause in causes}
    for key, one in memory.known.items():
        if key not in known and (one.alerted_at is not None or not are_all):
            # A clock that was set back must not keep it from being over.
            seen_at = min(one.seen_at, now + START)
            known[key] = replace(one, is_there=one.is_there and not are_all, seen_at=seen_at)
    sent_at = tuple(at for at in memory.sent_at if timedelta(0) <= now - at < _HOUR)
    return Memory(known, sent_at)


def due(memory: Memory, now: datetime, config: AlertConfig) -> Due:
    """Return the alerts that the receiver should get now."""
    found = [alert for one in memory.known.values() if (alert := _alert(one, now, config)) is not None]
    found.sort(key=lambda alert: (_URGENCY[alert.severity], alert.since))
    most = max(0, config.max_per_hour - len(memory.sent_at))
    return Due(tuple(found[:most]), len(found[most:]))


def delivered(memory: Memory, alert: Alert) -> Memory:
    """Return the memory after the receiver has taken an alert."""
    known = dict(memory.known)
    if alert.status == "resolved":
        known.pop(alert.key, None)
    elif alert.key in known:
        known[alert.key] = replace(known[alert.key], alerted_at=alert.at, alerted_count=alert.count)
    return Memory(known, (*memory.sent_at, alert.at))


def _known(cause: Cause, before: Known | None, now: datetime) -> Known:
    since = cause.since or (before.since if before else now)
    is_alerted = before is not None and before.alerted_at is not None
    return Known(
        cause.key,
        cause.severity,
        min(since, before.since) if before and is_alerted else since,
        since + cause.after,
        now,
        cause.summary,
        cause.advice,
        cause.count,
        cause.counts_up,
        alerted_at=before.alerted_at if before else None,
        alerted_count=before.alerted_count if before else None,
    )


def _alert(one: Known, now: datetime, config: AlertConfig) -> Alert | None:
    if one.is_there and _is_news(one, now, config):
        return Alert(one.key, "firing", one.severity, one.since, now, one.summary, one.advice, one.count)
    if not one.is_there and now - one.seen_at >= min(SETTLE, config.after):
        return _over(one, now)
    return None


def _is_news(one: Known, now: datetime, config: AlertConfig) -> bool:
    if one.alerted_at is None:
        return now >= one.due_at
    passed = abs(now - one.alerted_at)  # a clock that was set back must not silence it
    more = one.counts_up and one.count != one.alerted_count
    return (more and passed >= GATHER) or bool(config.repeat and passed >= config.repeat)


def _over(one: Known, now: datetime) -> Alert:
    summary = f"over after {span(min(one.seen_at, now) - one.since)}: {one.summary}"
    return Alert(one.key, "resolved", one.severity, one.since, now, summary, "nothing is to be done", one.count)
