"""Which deliveries a limit of the operator's holds back, by which limit and until when, for `queue list` and `show`.

A limit on the mail for one recipient puts its deliveries off, and writes why into their history. A limit on all mail
leaves its deliveries in the queue, due: only the running sender knows of it.
"""

from collections.abc import Sequence
from datetime import datetime

from mail_sender.control.response import ResponseLine, rfc3339
from mail_sender.ledger.base import Entry
from mail_sender.ledger.states import State
from mail_sender.sender.attempt_end import HELD_BACK
from mail_sender.sender.holding import HeldBack
from mail_sender.sender.limits import Limit


def of(entry: Entry, held: Sequence[HeldBack], now: datetime) -> ResponseLine | None:
    """Return what holds a delivery back: `limit`, `reason` and `until`; None if nothing does."""
    if entry.delivery.state is not State.QUEUED:
        return None
    if entry.delivery.next_attempt > now:
        last = entry.history[-1] if entry.history else None
        if last is None or last.verdict != HELD_BACK:
            return None
        return _line(Limit.PER_RECIPIENT, last.reply, entry.delivery.next_attempt)
    of_all_mail = [one for one in held if one.limit is not Limit.PER_RECIPIENT]
    return next((_line(one.limit, one.reason, one.until) for one in of_all_mail), None)


def _line(limit: Limit, reason: str, until: datetime) -> ResponseLine:
    return {"limit": str(limit), "reason": reason, "until": rfc3339(until)}
