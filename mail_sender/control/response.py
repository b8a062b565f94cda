"""What a command is answered with: lines that are ready for JSON, the same whether they cross the socket or not.

    {"entry": {...}}        a delivery, for `list` and `show`; addresses are masked unless asked for
    {"ledger": {...}}       for a command that was carried out on a ledger in a database: its `place`, and how many
                            `senders` that share it live; none of them was asked
    {"result": {...}}       what became of one delivery that the command means: `done`, and `message`, a sentence
    {"condition": {...}}    what is wrong with relay, server or ledger, or held back by a limit: `since`, `message`,
                            `next_try_in` (seconds); first of all, that no sender runs
    {"status": {...}}       the status (docs/status.schema.json)
    {"health": {...}}       whether the running sender is `alive` and `ready`, and `message`, a sentence
    {"progress": {...}}     how far a flush has come: `done` of `total`
    {"end": {...}}          always last: `exit` (the command's exit code), `message`, and for a page of a list
                            `before`, from where the next one goes on

Times are RFC 3339, in UTC.
"""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from mail_sender.condition import Fault
from mail_sender.errors import Exit
from mail_sender.ledger.base import Attempt, Delivery, Entry, Outcome
from mail_sender.ledger.states import State
from mail_sender.names import address
from mail_sender.observe.as_json import ready_for_json

if TYPE_CHECKING:
    from mail_sender.observe.health import Health
    from mail_sender.observe.status import Status
    from mail_sender.sender.holding import HeldBack

ResponseLine = dict[str, Any]


def entry(
    found: Entry,
    *,
    show_addresses: bool,
    whole: bool,
    has_sender: bool = True,
    held_back: ResponseLine | None = None,
) -> ResponseLine:
    """Return the line of a delivery; with its whole history, or the last attempt alone.

    `interrupted` says that it was in flight when its sender ended: without a sender, nobody works on it. `held_back`
    says which limit of the operator's holds it back, why, and until when.
    """
    delivery = found.delivery
    history = [_attempt(attempt) for attempt in found.history]
    line = {
        **_named(delivery, show_addresses),
        "kind": delivery.kind,
        "status": delivery.state.value,
        "dot": delivery.dot,
        "interrupted": delivery.state is State.PROCESSING and not has_sender,
        "attempts": delivery.attempts,
        "ambiguous": delivery.ambiguous,
        "copy": delivery.copy,
        "admitted_at": rfc3339(found.admitted_at),
        "changed_at": rfc3339(found.changed_at),
        "next_attempt_at": rfc3339(delivery.next_attempt) if delivery.state is State.QUEUED else None,
        "held_back": held_back,
        "deadline": rfc3339(delivery.deadline),
        "queue_id": found.queue_id,
        "mail_message_id": delivery.imprint.message_id if delivery.imprint else None,
        "marked_at": rfc3339(found.marked_at),
        "unsent_at": rfc3339(found.unsent_at),
        "last_attempt": history[-1] if history else None,
    }
    return {"entry": {**line, "history": history} if whole else line}


def result(delivery: Delivery, outcome: Outcome | str, *, show_addresses: bool) -> ResponseLine:
    """Return what became of a delivery that the command means; the outcome is a sentence where nothing did."""
    done = isinstance(outcome, Outcome)
    message = _changed(delivery, outcome) if isinstance(outcome, Outcome) else outcome
    return {"result": {**_named(delivery, show_addresses), "done": done, "message": message}}


def condition(fault: Fault, next_try_in: float | None) -> ResponseLine:
    """Return what is wrong with relay, server or ledger; `next_try_in` is in seconds."""
    return {
        "condition": {
            "name": fault.name,
            "kind": str(fault.kind),
            "since": rfc3339(fault.since),
            "message": f"{fault.detail}; {fault.advice}",
            "next_try_in": None if next_try_in is None else round(next_try_in),
        }
    }


def held_back(held: "HeldBack", now: datetime) -> ResponseLine:
    """Return what a limit holds back, in the form of a condition: it is one, though nothing is at fault."""
    waits = "1 delivery waits" if held.deliveries == 1 else f"{held.deliveries} deliveries wait"
    seconds = (held.until - now).total_seconds()
    return condition(Fault("limit", held.limit, held.since, held.reason, waits), seconds)


def ledger(place: str, senders: int) -> ResponseLine:
    """Return on which database a command is carried out, and how many senders that share it live."""
    return {"ledger": {"place": place, "senders": senders}}


def no_sender() -> ResponseLine:
    """Return that no sender runs, as the condition that it is; nobody knows since when."""
    message = "no sender runs: mail waits until one starts"
    return {"condition": {"name": "sender", "kind": "none", "since": None, "message": message, "next_try_in": None}}


def status(found: "Status") -> ResponseLine:
    """Return the status, of the running sender or of the ledger alone."""
    return {"status": ready_for_json(found)}


def health(found: "Health") -> ResponseLine:
    """Return whether the running sender is alive, and ready to send mail."""
    return {"health": {"alive": found.is_alive, "ready": found.is_ready, "message": str(found)}}


def progress(done: int, total: int) -> ResponseLine:
    """Return how far a flush has come."""
    return {"progress": {"done": done, "total": total}}


def end(code: Exit, message: str | None = None, before: int | None = None) -> ResponseLine:
    """Return the last line of a response."""
    return {"end": {"exit": int(code), "message": message, "before": before}}


def _changed(delivery: Delivery, outcome: Outcome) -> str:
    if outcome.state is State.ABANDONED:
        return f"was {delivery.state}; given up" + (" (it may have arrived once)" if delivery.ambiguous else "")
    if outcome.copy > delivery.copy:
        return f"was {delivery.state}; a copy is queued, with a Message-ID of its own"
    return f"was {delivery.state}; due now"


def _named(delivery: Delivery, show_addresses: bool) -> ResponseLine:
    shown = delivery.recipient if show_addresses else address.mask(delivery.recipient)
    return {"message_id": str(delivery.message), "recipient": shown}


def _attempt(attempt: Attempt) -> ResponseLine:
    return {
        "at": rfc3339(attempt.at),
        "stage": str(attempt.stage),
        "verdict": attempt.verdict,
        "code": attempt.code,
        "reply": attempt.reply,
        "seconds": round(attempt.seconds, 3),
        "relay": attempt.relay,
    }


def rfc3339(time: datetime | None) -> str | None:
    """Return a time as it stands in a response."""
    if time is None:
        return None
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
