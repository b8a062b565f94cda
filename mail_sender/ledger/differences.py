"""In what the senders that share a ledger differ: each goes on, so that an update needs no stop."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from mail_sender.ledger.replicas import Replica

_MOST_NAMED = 3  # hosts in one breath
_Groups = dict[str, list[Replica]]


@dataclass(frozen=True, slots=True)
class Difference:
    """What differs (`versions` or `configurations`), since when, between whom, and what to do."""

    kind: str
    since: datetime
    detail: str
    advice: str


def differences(replicas: Sequence[Replica]) -> Iterator[Difference]:
    """Yield the differences; a configuration that is not known yet differs from none."""
    versions = _groups(replicas, lambda one: one.version)
    if len(versions) > 1:
        named = "; ".join(f"{version} on {_hosts(ones)}" for version, ones in versions.items())
        advice = "nothing to do during an update; else bring all to one version"
        detail = f"the senders are of different versions: {named}"
        yield Difference("versions", _since(versions), detail, advice)
    configurations = _groups([one for one in replicas if one.said.digest], lambda one: one.said.digest)
    if len(configurations) > 1:
        named = " from ".join(_hosts(ones) for ones in configurations.values())
        advice = "compare `mail-sender config show` on them, and give all the same configuration"
        detail = f"the senders are configured differently: {named}"
        yield Difference("configurations", _since(configurations), detail, advice)


def _groups(replicas: Sequence[Replica], by: Callable[[Replica], str]) -> _Groups:
    found: _Groups = {}
    for one in replicas:
        found.setdefault(by(one), []).append(one)
    return found


def _hosts(replicas: Sequence[Replica]) -> str:
    named = list(dict.fromkeys(one.host for one in replicas))
    rest = len(named) - _MOST_NAMED
    return ", ".join(named[:_MOST_NAMED]) + (f" and {rest} more" if rest > 0 else "")


def _since(groups: _Groups) -> datetime:
    return sorted(min(one.since for one in ones) for ones in groups.values())[1]
