"""Statuses for tests: a sender that is well, and what may be wrong with it."""

from datetime import datetime
from typing import Any

from mail_sender.observe.status import (
    AttemptsStatus,
    ConditionStatus,
    LateLoop,
    LedgerStatus,
    QueueStatus,
    SenderStatus,
    ServerStatus,
    Status,
)
from tests.support.samples import MINUTE, NOW


def status(at: datetime = NOW, **changed: Any) -> Status:
    """Return the status of a sender that is well, with fields changed."""
    well: dict[str, Any] = {
        "at": at,
        "answered_by": "sender",
        "healthy": True,
        "sender": sender(),
        "server": polled(at, at),
        "relay": None,
        "ledger": LedgerStatus(kind="sqlite", place=None, size_bytes=None, free_bytes=None),
        "conditions": [],
        "queue": queue(),
        "attempts": AttemptsStatus(last_hour={}, last_day={}, by_hour=[]),
        "failing_domains": [],
        "expiries": [],
        "held_back": [],
    }
    return Status(**{**well, **changed})


def condition(name: str, since: datetime, detail: str = "connection refused", **changed: Any) -> ConditionStatus:
    """Return a condition."""
    fields: dict[str, Any] = {"kind": "connect", "advice": "start it", "blocks": True, **changed}
    return ConditionStatus(name=name, since=since, detail=detail, **fields)


def queue(oldest_waiting_at: datetime | None = None, **states: int) -> QueueStatus:
    """Return the counts of a queue."""
    return QueueStatus(
        states=states, kinds={}, unmarked=0, oldest_waiting_at=oldest_waiting_at, last_accepted_at=None
    )


def polled(last: datetime | None, last_good: datetime | None, following: datetime | None = None) -> ServerStatus:
    """Return a server that was polled at these times."""
    return ServerStatus(
        uri="https://idm.example.com",
        last_poll_at=last,
        last_good_poll_at=last_good,
        next_poll_at=following,
        ready=0,
        malformed=0,
    )


def sender(*late: LateLoop, started_at: datetime = NOW - MINUTE) -> SenderStatus:
    """Return a running sender, with loops that hang."""
    return SenderStatus(
        version="1", pid=1, host="host", started_at=started_at, alive=not late, ready=not late, late_loops=list(late)
    )
