"""A status as a test wants it: of a sender that is well, or of one with a fault."""

from datetime import timedelta
from typing import Literal

from mail_sender.ledger.states import State
from mail_sender.observe.status import (
    AttemptsStatus,
    ConditionStatus,
    Expiry,
    LedgerStatus,
    QueueStatus,
    RelayStatus,
    ReplicaStatus,
    SenderStatus,
    ServerStatus,
    Status,
)
from tests.support.samples import NOW

SECRET = "hunter2"


def status(
    *, ready: bool = True, breaker: Literal["closed", "open", "half-open"] = "closed", fault: str | None = None
) -> Status:
    """Return a status; a fault is the relay's, and its detail holds `SECRET`."""
    found = [] if fault is None else [_condition(fault)]
    return Status(
        at=NOW,
        answered_by="sender",
        healthy=not found,
        sender=SenderStatus(
            version="1.2.3", pid=7, host="here", started_at=NOW, alive=True, ready=ready, late_loops=[]
        ),
        server=ServerStatus(
            uri="https://idm.example.com",
            last_poll_at=NOW,
            last_good_poll_at=NOW,
            next_poll_at=NOW + timedelta(seconds=5),
            ready=2,
            malformed=1,
        ),
        relay=RelayStatus(
            place="relay.example.com:465",
            security="implicit",
            login=True,
            breaker=breaker,
            breaker_since=None,
            probe_in_seconds=None,
            most_in_flight=4,
            between_seconds=0.0,
            in_flight=1,
            carries=breaker == "closed",
        ),
        ledger=LedgerStatus(kind="sqlite", place="/var/lib/mail-sender", size_bytes=4096, free_bytes=10**9),
        conditions=found,
        queue=QueueStatus(
            states={**dict.fromkeys(State, 0), State.QUEUED: 2},
            kinds={"test_message_v1": {State.QUEUED: 1}, "strange_v9": {State.QUEUED: 1}},
            unmarked=1,
            oldest_waiting_at=NOW - timedelta(seconds=90),
            last_accepted_at=NOW - timedelta(seconds=30),
        ),
        attempts=AttemptsStatus(last_hour={}, last_day={}, by_hour=[{}] * 24),
        failing_domains=[],
        expiries=[Expiry(name="token", expires_at=NOW + timedelta(days=30))],
        held_back=[],
    )


def replicas(*hosts: str, answers: int | None = 0) -> list[ReplicaStatus]:
    """Return the senders on a shared ledger, of which the first one polls, and that one answers, if any."""
    return [
        ReplicaStatus(
            host=host,
            pid=number + 7,
            version="1.2.3",
            since=NOW - timedelta(hours=3 + number),
            seen_at=NOW - timedelta(seconds=number % 3),
            polls=number == 0,
            carries=True,
            answers=number == answers,
        )
        for number, host in enumerate(hosts)
    ]


def _condition(kind: str) -> ConditionStatus:
    return ConditionStatus(
        name="relay",
        kind=kind,
        since=NOW,
        detail=f"the login was refused: {SECRET}",
        advice="correct mail_password",
        blocks=True,
        next_try_in_seconds=30.0,
    )
