"""All conditions that an operator is to see, most urgent first.

They are the faults that the flow met, and what follows from what was seen: a loop that hangs, a first poll that has
not ended, deliveries that are held, senders on one ledger that are not alike.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from mail_sender.condition import Fault
from mail_sender.ledger.differences import differences
from mail_sender.ledger.replicas import Replica
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import Summary
from mail_sender.observe.advisories import NAMES
from mail_sender.observe.health import Health
from mail_sender.observe.status import ConditionStatus
from mail_sender.observe.words import deliveries

_HINDERS_NOTHING = NAMES | {"clock", "alerts", "fallback"}


def of_sender(
    health: Health, faults: Sequence[Fault], started_at: datetime, now: datetime
) -> Iterator[ConditionStatus]:
    """Yield what is wrong with a running sender, as far as it knows."""
    for late in health.late:
        yield ConditionStatus(
            name="loop",
            kind=late.loop,
            since=now - timedelta(seconds=late.seconds),
            detail=f"the {late.loop} loop hangs: it should have turned {late.seconds:.0f} s ago",
            advice="restart mail-sender, and report this with its log",
            blocks=True,
        )
    first = next(iter(health.relays), None)
    goes_round = first is not None and not first.carries and health.mail_flows
    for fault in faults:
        is_relays = fault.name == "relay"
        yield ConditionStatus(
            name=fault.name,
            kind=str(fault.kind),
            since=fault.since,
            detail=fault.detail,
            advice=fault.advice,
            blocks=fault.name not in _HINDERS_NOTHING and not (is_relays and goes_round),
            next_try_in_seconds=first.probe_in if first and is_relays else None,
        )
    names = {fault.name for fault in faults}
    if health.poll_was_good is None and not {"server", "ledger"} & names:
        detail = "the first poll has not ended"
        yield _passing("server", "starting", started_at, detail, now)
    if first and first.breaker != "closed" and "relay" not in names:
        since = now - timedelta(seconds=first.breaker_for or 0.0)
        detail = "a mail was refused, and the next one is a probe"
        yield _passing("relay", "probe", since, detail, now, blocks=not goes_round)


def of_ledger(summary: Summary) -> Iterator[ConditionStatus]:
    """Yield what the ledger alone shows to be wrong."""
    if held := summary.states[State.HELD]:
        yield ConditionStatus(
            name="template",
            kind="held",
            since=summary.held_since or summary.at,
            detail=f"no mail can be made of {deliveries(held)}",
            advice="`mail-sender queue list --status held` shows why; correct the template, or update mail-sender",
            blocks=True,
        )


def of_replicas(replicas: Sequence[Replica]) -> Iterator[ConditionStatus]:
    """Yield in what the senders that share a ledger differ."""
    for one in differences(replicas):
        yield ConditionStatus(
            name="replicas", kind=one.kind, since=one.since, detail=one.detail, advice=one.advice, blocks=False
        )


def _passing(
    name: str, kind: str, since: datetime, detail: str, now: datetime, *, blocks: bool = True
) -> ConditionStatus:
    advice = "nothing to do: wait"
    return ConditionStatus(name=name, kind=kind, since=min(since, now), detail=detail, advice=advice, blocks=blocks)
