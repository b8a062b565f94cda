"""What an order is answered with: lines, ready for JSON, the same whether they cross the control socket or not.

    {"entry": {...}}       a delivery, for `list` and `show`; addresses are masked unless asked for
    {"result": {...}}         what became of one delivery that an order meant: `done`, and `message`, a sentence
    {"condition": {...}}   what is wrong with relay, server or ledger: `since`, `message`, `next_try_in` (seconds)
    {"progress": {...}}    how far a flush has come: `done` of `total`
    {"end": {...}}         always last: `exit` (the command's exit code), `message`, and for a page of a list
                           `before`, from where the next one goes on

Times are RFC 3339, in UTC.
"""

from datetime import UTC, datetime
from typing import Any

from mail_sender import address
from mail_sender.condition import Fault
from mail_sender.errors import Exit
from mail_sender.ledger.base import Attempt, Delivery, Entry
from mail_sender.ledger.states import State

Line = dict[str, Any]


def entry(found: Entry, *, show_addresses: bool, whole: bool) -> Line:
    """Return the line of a delivery; with its whole history, or the last attempt alone."""
    delivery = found.delivery
    history = [_attempt(attempt) for attempt in found.history]
    line = {
        **_named(delivery, show_addresses),
        "kind": delivery.kind,
        "status": delivery.state.value,
        "dot": delivery.dot,
        "attempts": delivery.attempts,
        "ambiguous": delivery.ambiguous,
        "copy": delivery.copy,
        "admitted_at": _time(found.admitted_at),
        "changed_at": _time(found.changed_at),
        "next_attempt_at": _time(delivery.next_attempt) if delivery.state is State.QUEUED else None,
        "deadline": _time(delivery.deadline),
        "queue_id": found.queue_id,
        "mail_message_id": delivery.imprint.message_id if delivery.imprint else None,
        "marked_at": _time(found.marked_at),
        "unsent_at": _time(found.unsent_at),
        "last_attempt": history[-1] if history else None,
    }
    return {"entry": {**line, "history": history} if whole else line}


def did(delivery: Delivery, *, show_addresses: bool, done: bool, say: str) -> Line:
    """Return the line that says what became of a delivery that an order meant."""
    return {"result": {**_named(delivery, show_addresses), "done": done, "message": say}}


def condition(fault: Fault, again_in: float | None) -> Line:
    """Return the line that says what is wrong with relay, server or ledger; `next_try_in` is in seconds."""
    return {
        "condition": {
            "name": fault.name,
            "kind": str(fault.kind),
            "since": _time(fault.since),
            "message": f"{fault.detail}; {fault.advice}",
            "next_try_in": None if again_in is None else round(again_in),
        }
    }


def progress(done: int, total: int) -> Line:
    """Return the line that says how far a flush has come."""
    return {"progress": {"done": done, "total": total}}


def end(code: Exit, say: str | None = None, before: int | None = None) -> Line:
    """Return the last line of an answer."""
    return {"end": {"exit": int(code), "message": say, "before": before}}


def _named(delivery: Delivery, show_addresses: bool) -> Line:
    shown = delivery.recipient if show_addresses else address.mask(delivery.recipient)
    return {"message_id": str(delivery.message), "recipient": shown}


def _attempt(attempt: Attempt) -> Line:
    return {
        "at": _time(attempt.at),
        "stage": str(attempt.stage),
        "verdict": attempt.verdict,
        "code": attempt.code,
        "reply": attempt.reply,
        "seconds": round(attempt.seconds, 3),
    }


def _time(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
