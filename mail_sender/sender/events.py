"""What the log says of messages: one event for each thing that can become of a delivery.

Recipients are masked, and nothing that a message holds is repeated.
"""

import traceback
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import assert_never
from uuid import UUID

import structlog

from mail_sender import address
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import State
from mail_sender.message import OddEntry
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Uncertain, Verdict

MOST_NAMED = 20

_CUT_BEFORE = "an earlier attempt was cut off after the final dot: it may have arrived"

_log = structlog.get_logger()


def odd(entries: Sequence[OddEntry]) -> None:
    """Name entries that cannot be read; of very many only the first, so that the log stays one."""
    for entry in entries[:MOST_NAMED]:
        _log.error(
            "malformed_entry", message_id=entry.id, message=f"{entry.problem}; left in the queue, the others go on"
        )
    if more := len(entries[MOST_NAMED:]):
        _log.error("malformed_entries", more=more, message="left in the queue as well")


def unsent(messages: Sequence[UUID]) -> None:
    """Name messages that are listed again although they were marked or withdrawn long ago."""
    for message in messages[:MOST_NAMED]:
        cure = f"mailed only by `mail-sender queue resend {message}`"
        say = f"sent or withdrawn, but listed again: somebody un-sent it; {cure}"
        _log.warning("unsent", message_id=message, message=say)
    if more := len(messages[MOST_NAMED:]):
        _log.warning("unsent", more=more, message="un-sent as well")


def ordered(verb: str, message: str | None, count: int) -> None:
    """Say what an operator has ordered."""
    _log.info(
        "operator_command", verb=verb, message_id=message or "several", message=f"{count} changed by an operator"
    )


def expired(delivery: Delivery, state: State) -> None:
    """Say that a message came too late, or that nobody will know whether it arrived."""
    if state is State.UNKNOWN:
        say = "cut off after the final dot once, and no time is left: it may have arrived"
        _log.warning("unknown", **_facts(delivery), message=say)
    else:
        _log.warning("expired", **_facts(delivery), message="not mailed: its link or its time has run out")


def withdrawn(delivery: Delivery, state: State, why: str) -> None:
    """Say that a message needs no mail any more, or no further one."""
    if state is State.UNKNOWN:
        _log.warning("unknown", **_facts(delivery), message=f"{why}; {_CUT_BEFORE}")
    else:
        _log.info("withdrawn", **_facts(delivery), message=f"{why}; not mailed")


def interrupted(delivery: Delivery, state: State) -> None:
    """Say what becomes of a delivery that was under way when the last process ended."""
    if not delivery.dot:
        _log.info("interrupted", **_facts(delivery), message="it was not sent yet; tried again")
    elif state is State.UNKNOWN:
        _log.warning(
            "unknown", **_facts(delivery), message="ended at the final dot, a second time: it may have arrived"
        )
    else:
        say = "ended at the final dot: it may have arrived; sent once more in 2 minutes, the same mail"
        _log.warning("interrupted", **_facts(delivery), message=say)


def put_off(delivery: Delivery, way: RelayDown) -> None:
    """Say that the way broke under one letter while others went through."""
    _log.info("put_off", **_facts(delivery), stage=way.stage, message=f"{way.detail}; others go through; tried again")


def changed(delivery: Delivery) -> None:
    """Say that a mail that is sent once more is not the same any more."""
    say = "it goes out again with the same Message-ID, but its text has changed since (a template, the configuration)"
    _log.warning("mail_changed", **_facts(delivery), message=say)


def held(delivery: Delivery, reason: str) -> None:
    """Say that a message waits for a template."""
    _log.error("held", **_facts(delivery), message=f"{reason}; left in the queue, the others go on")


def template_failed(delivery: Delivery, fault: str) -> None:
    """Say that a template of the operator's failed, and ours made the mail."""
    _log.error("template_failed", **_facts(delivery), message=f"{fault}; the built-in one is mailed instead")


def failed(delivery: Delivery, reason: str) -> None:
    """Say that no mail could be made of a message."""
    _log.error("failed", **_facts(delivery), message=f"{reason}; it is not tried again")


def crashed(delivery: Delivery, error: Exception) -> None:
    """Say that this program has a fault, and where; what the exception says may be a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    say = f"a fault of mail-sender ({type(error).__name__} at {where}): please report it; the others go on"
    _log.error("internal_error", **_facts(delivery), message=say)


def verdict(found: Verdict, delivery: Delivery, outcome: Outcome, now: datetime) -> None:
    """Say what the relay made of a mail; that a lane is down is said by its condition, not per mail."""
    facts = _facts(delivery)
    match found:
        case Accepted(reply):
            _log.info("sent", **facts, queue_id=reply.queue_id, reply=reply)
        case Refused(stage=stage, reply=reply) | Deferred(stage, reply) if outcome.state is State.UNKNOWN:
            say = f"refused, and not tried again; but {_CUT_BEFORE}"
            _log.error("unknown", **facts, stage=stage, reply=reply, message=say)
        case Refused(stage, reason, reply):
            _log.error("failed", **facts, stage=stage, reply=reply, message=f"{reason}; it is not tried again")
        case Deferred(stage, reply) if outcome.state is State.QUEUED:
            say = f"not taken now; tried again in {_span(outcome, now)}"
            _log.warning("deferred", **facts, stage=stage, reply=reply, message=say)
        case Deferred(stage, reply):
            again = f"`mail-sender queue retry {delivery.message}` starts over"
            say = f"not taken in {outcome.attempts} attempts; {again}"
            _log.error("abandoned", **facts, stage=stage, reply=reply, message=say)
        case Uncertain(detail) if outcome.state is State.UNKNOWN:
            say = f"cut off after the final dot a second time ({detail}): it may have arrived; not sent again"
            _log.warning("unknown", **facts, message=say)
        case Uncertain(detail):
            again = f"sent once more in {_span(outcome, now)}"
            say = f"cut off after the final dot ({detail}): it may have arrived; {again}"
            _log.warning("uncertain", **facts, message=say)
        case RelayDown():
            pass
        case _ as never:
            assert_never(never)


def _span(outcome: Outcome, now: datetime) -> str:
    seconds = max(0, round((outcome.next_attempt - now).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _facts(delivery: Delivery) -> dict[str, object]:
    facts: dict[str, object] = {"message_id": delivery.message, "kind": delivery.kind}
    facts["recipient"] = address.mask(delivery.recipient)
    return facts | {"copy": delivery.copy + 1} if delivery.copy else facts
