"""What is due, read ahead: the dispatcher plans from memory, and reads the ledger again when that runs out.

1. `due` is the beginning of what is due, in the ledger's order. It is read anew, as a whole, when all of it has gone,
   or nothing of it can go.
2. Beside it stands what is fresh: what polls of the last minute have brought, the latest poll first, and of one poll
   the oldest message first. Each stands behind what is due before it for the same address.
3. `plan.in_turn` lets both go by turns, and the fresh ones first until they lead by `LEAD`: a poll of a long list
   brings those of several seconds together. Each of the backlog that goes takes one off the lead. So a fresh message
   does not wait for a backlog, and an endless stream of fresh ones leaves the backlog half of the places.
4. What was read may have changed when its turn comes: then its claim does not hold. After an operator's command, all
   is read anew. When a delivery is queued again, what was read for its address is dropped: it may come first.
"""

from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import chain, islice

from mail_sender.ledger.base import Delivery, Key, Ledger
from mail_sender.names.address import mailbox

FRESH_FOR = timedelta(minutes=1)
"""How long a message is fresh: whoever asked for it still waits."""
_NEVER = datetime.max.replace(tzinfo=UTC)
LEAD = 32
"""By how many mails fresh ones may be ahead of their half of the places."""
MOST_FRESH = 500
"""Fresh deliveries that are kept, those of the latest polls; the others go with the backlog."""


class ReadAhead:
    """What was read of the ledger, and has not been taken yet."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._due: dict[Key, Delivery] = {}
        self._fresh: dict[Key, tuple[Delivery, datetime]] = {}  # until when
        self._polled_at: datetime | None = None
        self._first_deadline = _NEVER
        self.has_all = False
        """Whether the last reading came to the end of what was due, and no poll has brought anything since."""
        self.fresh_first = LEAD
        """How many fresh ones go before it is the backlog's turn."""

    @property
    def due(self) -> Collection[Delivery]:
        """The beginning of what is due."""
        return self._due.values()

    @property
    def fresh(self) -> Iterable[Delivery]:
        """What is fresh."""
        return (one for one, _ in self._fresh.values())

    def is_late_by(self, now: datetime) -> bool:
        """Whether something that was read is past its deadline, or was, and may be gone."""
        return self._first_deadline <= now

    async def look_at_poll(self, polled_at: datetime, now: datetime, busy: Collection[Key]) -> None:
        """Read what came since the last poll that was looked at; `busy` are in flight. Raises `LedgerFault`."""
        if polled_at == self._polled_at:
            return
        since = max(self._polled_at or now - FRESH_FOR, now - FRESH_FOR)
        found = await self._ledger.fresh(now, since, MOST_FRESH)
        fresh = {one.key: (one, now + FRESH_FOR) for one in found if one.key not in busy}
        for key, (one, until) in self._fresh.items():
            if until > now:
                fresh.setdefault(key, (one, until))
        self._fresh = dict(islice(fresh.items(), MOST_FRESH))
        self._polled_at, self.has_all = polled_at, False
        self._note_deadlines()

    def replace(self, due: Sequence[Delivery], limit: int) -> None:
        """Take in what was read of all that is due, up to that limit."""
        self._due, self.has_all = {one.key: one for one in due}, len(due) < limit
        self._note_deadlines()

    def take(self, delivery: Delivery, *, goes: bool = False) -> None:
        """Take one out, which goes, or ends without a mail."""
        self._due.pop(delivery.key, None)
        was_fresh = self._fresh.pop(delivery.key, None) is not None
        if goes:
            self.fresh_first = max(self.fresh_first - 1, 0) if was_fresh else min(self.fresh_first + 1, LEAD)

    def queued_again(self, delivery: Delivery) -> None:
        """Take in that one that was taken is queued again, perhaps before others for its address."""
        address = mailbox(delivery.recipient)
        self._due = {key: one for key, one in self._due.items() if mailbox(one.recipient) != address}
        self.has_all = False
        if any(mailbox(one.recipient) == address for one in self.fresh):
            self._forget_fresh()

    def forget(self) -> None:
        """Take in that what was read may have changed: all is read anew."""
        self._due.clear()
        self.has_all = False
        self._forget_fresh()

    def _note_deadlines(self) -> None:
        self._first_deadline = min((one.deadline for one in chain(self.due, self.fresh)), default=_NEVER)

    def _forget_fresh(self) -> None:
        self._fresh.clear()
        self._polled_at = None
