"""What was alerted, in a file of the state folder, so that a restart does not alert it again.

Only what a receiver has taken is kept, and the counts of what was given up. The file is replaced as a whole; one that
is lost or cannot be read costs no more than one alert too many.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from pydantic import TypeAdapter, ValidationError

from mail_sender.errors import MailSenderError
from mail_sender.ledger import state_file
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.states import State
from mail_sender.observe.alerts.firing import Memory
from mail_sender.observe.alerts.tally import Count

_LARGEST = 2**20


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept: the memory of each receiver, by its name, and the tally's counts."""

    receivers: Mapping[str, Memory] = field(default_factory=dict)
    counts: Mapping[State, Count] = field(default_factory=dict)


@cache
def _kept() -> TypeAdapter[Kept]:
    return TypeAdapter(Kept)  # takes longer than to import all the rest, and most senders alert nobody


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
        return _kept().validate_json(state_file.read(state, state.alerts, _LARGEST))
    except (OSError, MailSenderError, ValidationError):
        return Kept()


def save(state: StateFolder, kept: Kept) -> None:
    """Replace the file. Raises `OSError`, and `MailSenderError` if something foreign is in its place."""
    state_file.replace(state, state.alerts, _kept().dump_json(kept))
