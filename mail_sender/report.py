"""What the log says of messages: one event for each thing that can become of a delivery.

Recipients are masked, and nothing that a message holds is repeated.
"""

from collections.abc import Sequence
from typing import assert_never

import structlog

from mail_sender import address
from mail_sender.ledger.base import Delivery
from mail_sender.message import Message, OddEntry
from mail_sender.verdict import Accepted, Deferred, LaneDown, Refused, Uncertain, Verdict

MOST_NAMED = 20

_log = structlog.get_logger()


def odd(entries: Sequence[OddEntry]) -> None:
    """Name entries that cannot be read; of very many only the first, so that the log stays one."""
    for entry in entries[:MOST_NAMED]:
        _log.error("odd_entry", message=entry.id, say=f"{entry.problem}; left in the queue, the others go on")
    if more := len(entries[MOST_NAMED:]):
        _log.error("odd_entries", more=more, say="left in the queue as well")


def expired(message: Message, delivery: Delivery) -> None:
    """Say that a message came too late."""
    _log.warning("expired", **_facts(message, delivery), say="not mailed: its link or its time has run out")


def unknown(message: Message, delivery: Delivery) -> None:
    """Say that nobody will know whether a mail arrived."""
    say = "cut off after the final dot once, and no time is left: it may have arrived"
    _log.warning("unknown", **_facts(message, delivery), say=say)


def held(message: Message, delivery: Delivery, reason: str) -> None:
    """Say that a message waits for a template."""
    _log.error("held", **_facts(message, delivery), say=f"{reason}; left in the queue, the others go on")


def failed(message: Message, delivery: Delivery, reason: str) -> None:
    """Say that no mail could be made of a message."""
    _log.error("failed", **_facts(message, delivery), say=f"{reason}; it is not tried again")


def verdict(found: Verdict, message: Message, delivery: Delivery) -> None:
    """Say what the relay made of a mail; that a lane is down is said by its condition, not per mail."""
    facts = _facts(message, delivery)
    match found:
        case Accepted(reply):
            _log.info("sent", **facts, queue_id=reply.queue_id, reply=reply)
        case Refused(stage, reason, reply):
            _log.error("failed", **facts, stage=stage, reply=reply, say=f"{reason}; it is not tried again")
        case Deferred(stage, reply):
            _log.warning("deferred", **facts, stage=stage, reply=reply, say="not taken now; tried again later")
        case Uncertain(detail):
            say = f"cut off after the final dot ({detail}): it may have arrived"
            _log.warning("uncertain", **facts, say=say)
        case LaneDown():
            pass
        case _ as never:
            assert_never(never)


def _facts(message: Message, delivery: Delivery) -> dict[str, object]:
    return {"message": message.id, "kind": message.content.kind, "recipient": address.mask(delivery.recipient)}
