"""The log events of messages: one for each thing that can become of a delivery.

Recipients are masked. Names, links and other contents of a message are never logged.
"""

import traceback
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import assert_never
from uuid import UUID

import structlog

from mail_sender.backoff import AMBIGUOUS_WAIT
from mail_sender.ledger.base import Delivery, Outcome
from mail_sender.ledger.states import State
from mail_sender.message import OddEntry
from mail_sender.names import address
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Stage, Throttled, Uncertain, Verdict

MOST_NAMED = 20

_WAIT = AMBIGUOUS_WAIT // timedelta(minutes=1)
_CUT_BEFORE = "an earlier attempt was cut off after the final dot: it may have arrived"

_log = structlog.get_logger()


def odd(entries: Sequence[OddEntry], beside: int = 0) -> None:
    """Log entries of the queue that cannot be read; of very many only the first, so that the log stays readable.

    `beside` is how many there are beside these.
    """
    for entry in entries[:MOST_NAMED]:
        rest = "the other recipients get their mail" if entry.partly else "left in the queue; other mail goes on"
        _log.error("malformed_entry", message_id=entry.id, message=f"{entry.problem}; {rest}")
    if more := len(entries[MOST_NAMED:]) + beside:
        _log.error("malformed_entries", more=more, message="these stay in the queue, too")


def unsent(messages: Sequence[UUID]) -> None:
    """Log messages that the server lists again although they were marked or withdrawn long ago."""
    for message in messages[:MOST_NAMED]:
        cure = f"only `mail-sender queue resend {message}` mails it"
        text = f"sent or withdrawn, but listed again: somebody un-sent it; {cure}"
        _log.warning("unsent", message_id=message, message=text)
    if more := len(messages[MOST_NAMED:]):
        _log.warning("unsent", more=more, message="these were un-sent, too")


def operator_command(verb: str, message: str | None, changed: str) -> None:
    """Log an operator's command; `message` is the id that it named, if any, `changed` how many deliveries."""
    named = {} if message is None else {"message_id": message}
    _log.info("operator_command", verb=verb, **named, message=f"an operator changed {changed}")


def held_back(limit: str, reason: str, deliveries: int, until: datetime) -> None:
    """Log that a limit begins to hold mail back."""
    how_many = "1 delivery waits" if deliveries == 1 else f"{deliveries} deliveries wait"
    text = f"{reason}; {how_many}; `mail-sender queue list` shows them; it is logged when none waits any more"
    _log.warning("held_back", limit=limit, deliveries=deliveries, until=_second(until), message=text)


def released(limit: str, after: timedelta) -> None:
    """Log that a limit holds nothing back any more."""
    _log.info("released", limit=limit, after_seconds=round(after.total_seconds()))


def over_limit(limit: str, reason: str) -> None:
    """Log that a mail goes over a limit, because its deadline is near."""
    text = f"{reason}, but a mail cannot wait: its deadline is near; it goes over the limit"
    _log.warning("over_limit", limit=limit, message=text)


def warm_up(day: int, days: int, most: int | None) -> None:
    """Log which day of the warm-up this is, or that there is none any more."""
    text = "the warm-up is over: any number of mails a day" if most is None else f"at most {most} mails today (UTC)"
    _log.info("warm_up", day=day, days=days, message=text)


def disposable(delivery: Delivery, domain: str) -> None:
    """Log that a mail goes to a domain on the operator's list of disposable ones."""
    _log.warning("disposable", **_facts(delivery), message=f"{domain} is on the list of disposable domains")


def refused(delivery: Delivery, reason: str) -> None:
    """Log that a list of the operator's forbids mail to this recipient."""
    _log.error("failed", **_facts(delivery), message=reason)


def expired(delivery: Delivery, state: State) -> None:
    """Log that a message came too late, or that nobody will know whether it arrived."""
    if state is State.UNKNOWN:
        text = "cut off after the final dot once, and no time is left: it may have arrived"
        _log.warning("unknown", **_facts(delivery), message=text)
    else:
        _log.warning("expired", **_facts(delivery), message="not mailed: its link or its time in the queue ran out")


def withdrawn(delivery: Delivery, state: State, why: str) -> None:
    """Log that a message needs no mail any more, or no further one."""
    if state is State.UNKNOWN:
        _log.warning("unknown", **_facts(delivery), message=f"{why}; {_CUT_BEFORE}")
    else:
        _log.info("withdrawn", **_facts(delivery), message=f"{why}; not mailed")


def interrupted(delivery: Delivery, state: State) -> None:
    """Log what becomes of a delivery that was in flight when the last process ended."""
    if not delivery.dot:
        _log.info("interrupted", **_facts(delivery), message="it was not sent yet; it is tried again")
    elif state is State.UNKNOWN:
        text = "cut off at the final dot a second time: it may have arrived"
        _log.warning("unknown", **_facts(delivery), message=text)
    else:
        text = f"cut off at the final dot: it may have arrived; the same mail is sent once more in {_WAIT} minutes"
        _log.warning("interrupted", **_facts(delivery), message=text)


def throttled(delivery: Delivery, found: Throttled, most: int, seconds: float) -> None:
    """Log that the relay wants fewer mails at a time, or more slowly, and what it gets from now on."""
    pace = f"one every {seconds:.2g} s" if seconds else f"{most} at a time"
    text = f"the relay wants mail more slowly: it gets {pace}; no attempt is counted"
    _log.warning("throttled", **_facts(delivery), stage=found.stage, reply=found.reply, message=text)


def put_off(delivery: Delivery, stage: Stage, detail: str) -> None:
    """Log that one mail was refused for now, or its connection broke, while others went or may go through."""
    _log.info("put_off", **_facts(delivery), stage=stage, message=f"{detail}; other mail goes on; tried again")


def changed(delivery: Delivery) -> None:
    """Log that a mail that is sent once more is not the same any more."""
    text = "sent once more with the same Message-ID, but a new text: a template or the configuration has changed"
    _log.warning("mail_changed", **_facts(delivery), message=text)


def dot_late(delivery: Delivery) -> None:
    """Log that a mail was stopped before its dot, since another sender may have taken it over."""
    text = "stood still before the final dot for longer than the claim lasts: not sent; it goes again, by any sender"
    _log.warning("dot_late", **_facts(delivery), message=text)


def held(delivery: Delivery, reason: str) -> None:
    """Log that a message waits until its template is repaired."""
    _log.error("held", **_facts(delivery), message=f"{reason}; left in the queue; other mail goes on")


def template_failed(delivery: Delivery, fault: str) -> None:
    """Log that a template of the operator's failed, and the built-in one made the mail."""
    _log.error("template_failed", **_facts(delivery), message=f"{fault}; the built-in one is used instead")


def failed(delivery: Delivery, reason: str) -> None:
    """Log that no mail could be made of a message."""
    _log.error("failed", **_facts(delivery), message=f"{reason}; it is not tried again")


def crashed(delivery: Delivery, error: Exception) -> None:
    """Log a fault of this program and its place, without the exception's text, which may hold a secret."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"
    text = f"a fault of mail-sender ({type(error).__name__} at {where}): please report it; other mail goes on"
    _log.error("internal_error", **_facts(delivery), message=text)


def moved_over(relay: str, before: str, first: str, seconds: float) -> None:
    """Log that mail goes through another relay, since the first one has been down for so many seconds."""
    text = f"{first} has been unusable for {seconds:.0f} s: mail goes through {relay} until {first} takes mail again"
    _log.warning("relay_switched", relay=relay, before=before, message=text)


def moved_back(relay: str, before: str) -> None:
    """Log that mail goes through the first relay again."""
    _log.info("relay_switched", relay=relay, before=before, message=f"{relay} takes mail again: all mail goes there")


def verdict(found: Verdict, delivery: Delivery, outcome: Outcome, now: datetime, via: str | None = None) -> None:
    """Log what the relay made of a mail; a relay that is down is logged once (`condition`), not for each mail.

    `via` names the relay where it is not the first one.
    """
    facts = _facts(delivery) | ({"relay": via} if via else {})
    match found:
        case Accepted(reply, is_written=True):
            _log.info("written", **facts, message=reply.text)
        case Accepted(reply):
            _log.info("sent", **facts, queue_id=reply.queue_id, reply=reply)
        case Refused(stage=stage, reply=reply) | Deferred(stage, reply) if outcome.state is State.UNKNOWN:
            text = f"refused, and not tried again; but {_CUT_BEFORE}"
            _log.error("unknown", **facts, stage=stage, reply=reply, message=text)
        case Refused(stage, reason, reply):
            _log.error("failed", **facts, stage=stage, reply=reply, message=f"{reason}; it is not tried again")
        case Deferred(stage, reply) if outcome.state is State.QUEUED:
            text = f"refused for now; tried again in {_span(outcome, now)}"
            _log.warning("deferred", **facts, stage=stage, reply=reply, message=text)
        case Deferred(stage, reply):
            again = f"`mail-sender queue {'resend' if delivery.copy else 'retry'} {delivery.message}` starts over"
            text = f"not accepted in {outcome.attempts} attempts; {again}"
            _log.error("abandoned", **facts, stage=stage, reply=reply, message=text)
        case Uncertain(detail) if outcome.state is State.UNKNOWN:
            text = f"cut off after the final dot a second time ({detail}): it may have arrived; not sent again"
            _log.warning("unknown", **facts, message=text)
        case Uncertain(detail):
            again = f"sent once more in {_span(outcome, now)}"
            text = f"cut off after the final dot ({detail}): it may have arrived; {again}"
            _log.warning("uncertain", **facts, message=text)
        case RelayDown() | Throttled():
            pass
        case _ as never:
            assert_never(never)


def _span(outcome: Outcome, now: datetime) -> str:
    seconds = max(0, round((outcome.next_attempt - now).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{round(seconds / 60)} min"


def _second(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _facts(delivery: Delivery) -> dict[str, object]:
    facts: dict[str, object] = {"message_id": delivery.message, "kind": delivery.kind}
    facts["recipient"] = address.mask(delivery.recipient)
    return facts | {"copy": delivery.copy} if delivery.copy else facts
