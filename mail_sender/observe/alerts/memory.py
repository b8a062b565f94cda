"""What was alerted, in a file of the state folder, so that a restart does not alert it again.

Only what a receiver has taken is kept, and the counts of what was given up. The file is replaced as a whole; one that
is lost or cannot be read costs no more than one alert too many.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from math import inf
from typing import Any

from mail_sender.errors import MailSenderError
from mail_sender.ledger import state_file
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.observe.alerts.alert import Severity
from mail_sender.observe.alerts.firing import Known, Memory
from mail_sender.observe.alerts.tally import Count
from mail_sender.source import fields

_LARGEST = 2**20


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: the memory of each receiver, by its name, and the tally's counts."""

    receivers: Mapping[str, Memory] = field(default_factory=dict)
    counts: Mapping[State, Count] = field(default_factory=dict)


def durable(memory: Memory) -> Memory:
    """Return what of a memory is worth keeping."""
    return Memory({key: one for key, one in memory.known.items() if one.alerted_at is not None}, memory.sent_at)


def mark(kept: Kept) -> object:
    """Return a value that differs when the file is to be written anew: an alert was taken, or something given up."""
    alerted = {
        (name, key): one.alerted_at for name, memory in kept.receivers.items() for key, one in memory.known.items()
    }
    return alerted, kept.counts


def load(state: StateFolder | None) -> Kept:
    """Return what was kept, or nothing if it is not there or cannot be read."""
    if state is None:
        return Kept()
    try:
        return _read(json.loads(state_file.read(state, state.alerts, _LARGEST)))
    except (OSError, MailSenderError, ValueError, RecursionError):
        return Kept()


def save(state: StateFolder, kept: Kept) -> None:
    """Replace the file. Raises `OSError`, and `MailSenderError` if something foreign is in its place."""
    state_file.replace(state, state.alerts, json.dumps(asdict(kept), default=datetime.isoformat).encode())


_NUMBER = fields.integer(0, inf)
_COUNT: Mapping[str, fields.Check] = {"number": _NUMBER, "first": fields.time, "last": fields.time}
_KNOWN: Mapping[str, fields.Check] = {
    "key": fields.text,
    "severity": Severity,
    "since": fields.time,
    "due_at": fields.time,
    "seen_at": fields.time,
    "summary": fields.text,
    "advice": fields.text,
    "count": fields.optional(_NUMBER),
    "counts_up": fields.flag,
    "is_there": fields.flag,
    "alerted_at": fields.optional(fields.time),
    "alerted_count": fields.optional(_NUMBER),
}


def _read(found: object) -> Kept:
    """Return what the file holds. Raises ValueError if it is anything else."""
    kept = fields.checked(found, {"receivers": fields.mapping(_memory), "counts": fields.mapping(_count)})
    return Kept(kept["receivers"], {State(name): count for name, count in kept["counts"].items()})


def _memory(found: object) -> Memory:
    memory = fields.checked(found, {"known": fields.mapping(_known), "sent_at": _times})
    return Memory(memory["known"], memory["sent_at"])


def _known(found: object) -> Known:
    return Known(**fields.checked(found, _KNOWN))


def _count(found: object) -> Count:
    return Count(**fields.checked(found, _COUNT))


def _times(found: Any) -> tuple[datetime, ...]:
    return tuple(map(fields.time, found)) if isinstance(found, list) else ()
