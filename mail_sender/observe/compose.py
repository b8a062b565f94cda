"""Composes the status: one pure function of what was seen, by a sender that runs or in its ledger alone."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.condition import Fault
from mail_sender.ledger.replicas import Replica
from mail_sender.ledger.summary import HOURS, Summary
from mail_sender.observe import conditions
from mail_sender.observe.activity import Activity
from mail_sender.observe.facts import Facts, Process, RelayFacts
from mail_sender.observe.health import Health
from mail_sender.observe.status import (
    AttemptsStatus,
    ConditionStatus,
    Expiry,
    FailingDomain,
    HeldBack,
    LateLoop,
    LedgerStatus,
    QueueStatus,
    RelayStatus,
    ReplicaStatus,
    SenderStatus,
    ServerStatus,
    Status,
)
from mail_sender.sender import holding
from mail_sender.sender.relay_view import RelayView


@dataclass(frozen=True, slots=True)
class SeenSender:
    """What a running sender knows of itself; `facts` is None while no configuration is in use yet."""

    process: Process
    activity: Activity
    health: Health
    faults: Sequence[Fault] = ()
    facts: Facts | None = None
    held_back: Sequence[holding.HeldBack] = ()


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen; `summary` is None where the ledger cannot be read, `sender` where none answers.

    `replicas` are those that share the ledger and live, and `ours` is the one that answers.
    """

    ledger: LedgerStatus
    summary: Summary | None
    sender: SeenSender | None = None
    replicas: Sequence[Replica] = ()
    ours: UUID | None = None


def status(seen: Seen, now: datetime) -> Status:
    """Return the status of what was seen at a time."""
    sender, summary = seen.sender, seen.summary
    relays = _relays(sender, now) if sender else []
    found = [
        *(_sender_conditions(sender, now) if sender else ()),
        *(conditions.of_ledger(summary) if summary else ()),
        *conditions.of_replicas(seen.replicas),
    ]
    is_ready = sender.health.is_ready if sender else _others_are_ready(seen.replicas)
    return Status(
        at=now,
        answered_by="sender" if sender else "ledger",
        healthy=is_ready and not any(one.blocks for one in found),
        sender=_sender(sender) if sender else None,
        server=_server(sender.facts, sender.activity) if sender and sender.facts else None,
        relay=next(iter(relays), None),
        ledger=seen.ledger,
        conditions=found,
        queue=_queue(summary) if summary else None,
        attempts=_attempts(summary) if summary else None,
        failing_domains=_failing(summary) if summary else [],
        expiries=_expiries(sender.facts) if sender and sender.facts else [],
        held_back=[_held_back(one) for one in sender.held_back] if sender else [],
        fallbacks=relays[1:],
        replicas=[_replica(one, seen.ours) for one in seen.replicas],
    )


def _others_are_ready(replicas: Sequence[Replica]) -> bool:
    return any(one.polls for one in replicas) and any(one.said.carries for one in replicas)


def _replica(one: Replica, ours: UUID | None) -> ReplicaStatus:
    return ReplicaStatus(
        host=one.host,
        pid=one.pid,
        version=one.version,
        since=one.since,
        seen_at=one.seen_at,
        polls=one.polls,
        carries=one.said.carries,
        answers=one.id == ours,
    )


def _held_back(found: holding.HeldBack) -> HeldBack:
    return HeldBack(reason=found.reason, deliveries=found.deliveries, until=found.until)


def _sender_conditions(sender: SeenSender, now: datetime) -> Iterable[ConditionStatus]:
    return conditions.of_sender(sender.health, sender.faults, sender.activity.started_at, now)


def _sender(sender: SeenSender) -> SenderStatus:
    process, health = sender.process, sender.health
    return SenderStatus(
        version=process.version,
        pid=process.pid,
        host=process.host,
        started_at=sender.activity.started_at,
        alive=health.is_alive,
        ready=health.is_ready,
        late_loops=[LateLoop(loop=late.loop, late_seconds=round(late.seconds, 1)) for late in health.late],
    )


def _server(facts: Facts, activity: Activity) -> ServerStatus:
    return ServerStatus(
        uri=facts.server,
        last_poll_at=activity.last_poll_at,
        last_good_poll_at=activity.last_good_poll_at,
        next_poll_at=activity.next_poll_at,
        ready=activity.ready,
        malformed=activity.malformed,
    )


def _relays(sender: SeenSender, now: datetime) -> list[RelayStatus]:
    known = sender.facts.relays if sender.facts else ()
    return [_relay(facts, relay, now) for facts, relay in zip(known, sender.health.relays, strict=False)]


def _relay(facts: RelayFacts, relay: RelayView, now: datetime) -> RelayStatus:
    since = None if relay.breaker_for is None else now - timedelta(seconds=relay.breaker_for)
    return RelayStatus(
        place=facts.place,
        security=facts.security,
        login=facts.login,
        breaker=relay.breaker,
        breaker_since=since,
        probe_in_seconds=relay.probe_in,
        most_in_flight=relay.most_in_flight,
        between_seconds=relay.between,
        in_flight=relay.in_flight,
        carries=relay.carries,
        token_expires_at=facts.token_ends(),
    )


def _queue(summary: Summary) -> QueueStatus:
    return QueueStatus(
        states={state.value: number for state, number in summary.states.items()},
        kinds={kind: {str(state): number for state, number in of.items()} for kind, of in summary.kinds.items()},
        unmarked=summary.unmarked,
        oldest_waiting_at=summary.oldest_waiting_at,
        last_accepted_at=summary.last_accepted_at,
    )


def _attempts(summary: Summary) -> AttemptsStatus:
    return AttemptsStatus(
        last_hour=summary.attempts(1),
        last_day=summary.attempts(HOURS),
        by_hour=[dict(hour) for hour in summary.hours],
    )


def _failing(summary: Summary) -> list[FailingDomain]:
    return [FailingDomain(domain=one.domain, failed=one.failed, deferred=one.deferred) for one in summary.failing]


def _expiries(facts: Facts) -> list[Expiry]:
    ends = sorted(facts.expiries().items(), key=lambda end: end[1])
    return [Expiry(name=name, expires_at=at) for name, at in ends]
