"""The headline of a status: one sentence that says whether mail flows, and what stands in its way."""

from mail_sender.observe.status import ConditionStatus, Status
from mail_sender.observe.words import senders_run

MAIL_FLOWS = "mail flows"
NO_SENDER = "no sender runs: mail waits until one starts"

_WORDS = {
    "server": "the identity server cannot be used",
    "relay": "the relay cannot be used",
    "ledger": "the ledger cannot be used",
    "loop": "the sender hangs",
    "template": "some deliveries are held",
}
_PASSING = {
    ("server", "starting"): "the sender starts, and its first poll has not ended",
    ("relay", "probe"): "the relay is probed by one mail",
}


def headline(status: Status) -> str:
    """Return the sentence; the conditions have the details."""
    if status.unanswered is not None:
        return f"a sender does not answer: {status.unanswered}"
    if status.sender is None and not status.replicas:
        return NO_SENDER
    blocking = [one for one in status.conditions if one.blocks]
    if not blocking:
        return f"{MAIL_FLOWS}{_round(status)}{_elsewhere(status)}" if status.healthy else _not_ready(status)
    more = f", and {len(blocking) - 1} more" if len(blocking) > 1 else ""
    return f"mail waits: {what(blocking[0])}{more}"


def _elsewhere(status: Status) -> str:
    """Say who carries mail, where no sender answers here."""
    if status.sender is not None:
        return ""
    return f": {senders_run(len(status.replicas))} elsewhere"


def _not_ready(status: Status) -> str:
    if status.sender is not None:
        return "mail waits: the sender is not ready"
    if any(one.carries for one in status.replicas):
        return "mail waits: no sender polls the identity server now; another one begins within 20 s, if it can"
    return "mail waits: no sender can mail now; `mail-sender status` on one of their hosts says why"


def _round(status: Status) -> str:
    """Say by which way mail flows, where that is not the usual one."""
    return f" through the fallback {status.stand_in}: {_WORDS['relay']}" if status.stand_in else ""


def what(condition: ConditionStatus) -> str:
    """Return in a few words what is wrong."""
    words = _PASSING.get((condition.name, condition.kind)) or _WORDS.get(condition.name)
    return words or f"{condition.name} {condition.kind}"
