"""All conditions that an operator is to see, most urgent first.

They are the faults that the flow met, and what follows from what was seen: a loop that hangs, a first poll that has
not ended, deliveries that are held, senders on one ledger that are not alike.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta

from mail_sender.condition import Fault
from mail_sender.ledger.replicas import Replica
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import Summary
from mail_sender.observe.advisories import NAMES
from mail_sender.observe.health import Health
from mail_sender.observe.status import ConditionStatus
from mail_sender.observe.words import deliveries

MOST_NAMED = 3
"""Hosts that are named in one breath."""
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
    """Yield in what the senders that share a ledger differ; each goes on, so that an update needs no stop."""
    versions = _groups(replicas, lambda one: one.version)
    if len(versions) > 1:
        named = "; ".join(f"{version} on {_hosts(ones)}" for version, ones in versions.items())
        advice = "nothing to do during an update; else bring all to one version"
        yield _differing("versions", versions, f"the senders are of different versions: {named}", advice)
    configurations = _groups([one for one in replicas if one.said.digest], lambda one: one.said.digest)
    if len(configurations) > 1:
        named = " from ".join(_hosts(ones) for ones in configurations.values())
        advice = "compare `mail-sender config show` on them, and give all the same configuration"
        yield _differing("configurations", configurations, f"the senders are configured differently: {named}", advice)


_Groups = dict[str, list[Replica]]


def _groups(replicas: Sequence[Replica], by: Callable[[Replica], str]) -> _Groups:
    found: _Groups = {}
    for one in replicas:
        found.setdefault(by(one), []).append(one)
    return found


def _hosts(replicas: Sequence[Replica]) -> str:
    named = list(dict.fromkeys(one.host for one in replicas))
    rest = len(named) - MOST_NAMED
    return ", ".join(named[:MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _differing(kind: str, groups: _Groups, detail: str, advice: str) -> ConditionStatus:
    since = sorted(min(one.since for one in ones) for ones in groups.values())[1]
    return ConditionStatus(name="replicas", kind=kind, since=since, detail=detail, advice=advice, blocks=False)


def _passing(
    name: str, kind: str, since: datetime, detail: str, now: datetime, *, blocks: bool = True
) -> ConditionStatus:
    advice = "nothing to do: wait"
    return ConditionStatus(name=name, kind=kind, since=min(since, now), detail=detail, advice=advice, blocks=blocks)
