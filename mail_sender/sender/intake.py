"""The intake of one poll: the list on its way into the ledger, part by part.

1. The ledger admits each part when it comes, all with the same time. Until the last part is admitted, nothing of them
   is due (`snapshot`), for no replica either: what one list has is mailed in the order of `send_after`, whatever the
   order of its parts.
2. Of a long list, the contents of those messages are kept that are mailed next: of the oldest ones, and of the newest
   ones, which nobody should wait for. The others are read from the server when it is their turn. Contents hold secret
   links, so they are kept nowhere but in memory.
3. What the last list had in the very same words is passed over (`known`): neither read nor admitted again. It is read
   once more when its turn comes near. Every few minutes, and after a fault, all is looked at: a message may be listed
   that should not be any more.
4. A list whose time differs from ours has to be known to its end before our clock can be set (`clock`): until then,
   no part is taken.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from operator import attrgetter
from uuid import UUID

from mail_sender.clock import TOLERANCE, Clock
from mail_sender.ledger.base import Ledger
from mail_sender.message import Listing, Message
from mail_sender.sender import events
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source.base import Known

MOST_OLD = 4_000
"""Of how many of the oldest messages of a list the contents are kept."""
MOST_NEW = 1_000
"""Of how many of the newest messages of a list the contents are kept."""

FEW = 4_000
"""Of so few messages the contents are left when more of them are read."""

_AGE = attrgetter("send_after", "id")


def known_of(snapshot: Snapshot) -> Known:
    """Return what the next list need not show again.

    Where few contents are left, it shows those that come next: half as many again as are kept, as some are gone.
    """
    held, ids = len(snapshot.messages), snapshot.ids
    return Known(ids, ids.oldest(MOST_OLD * 3 // 2) if held < min(FEW, len(ids)) else b"")


class Intake:
    """What becomes of one list, which does not show what is `known`. `looked_at` is how many messages it has shown.

    If it `waits_for_clock`, parts are only taken where the list's time is ours.
    """

    def __init__(
        self,
        ledger: Ledger,
        snapshot: Snapshot,
        max_age: timedelta,
        clock: Clock,
        known: Known,
        *,
        waits_for_clock: bool,
    ) -> None:
        self.has_left_out = False
        self.looked_at = 0
        self._known = known
        self._ledger = ledger
        self._snapshot = snapshot
        self._max_age = max_age
        self._clock = clock
        self._waits_for_clock = waits_for_clock
        self._at: datetime | None = None
        self._comes_in_parts = False
        self._kept: list[Message] = []
        self._shown_before = dict(snapshot.messages)

    async def take(self, part: Listing) -> None:
        """Take a part of a long list. Raises `LedgerFault`."""
        if self._at is None and self._waits_for_clock and not _is_ours(part.at, self._clock.now()):
            self.has_left_out = True
        else:
            if not self._comes_in_parts and self._ledger.replicas is not None:
                self._at = self._snapshot.admitting = self._clock.now()
                await self._ledger.replicas.taking_up(self._at)
            self._comes_in_parts = True
            await self._admit(part.messages)

    async def finish(self, last: Listing) -> None:
        """Take the last part, or the only one, and have all that was taken be due. Raises `LedgerFault`."""
        await self._admit(last.messages)
        await self.close()
        self._kept += [message for id_, message in self._shown_before.items() if id_ in last.ids]
        self._snapshot.fill(last, {message.id: message for message in _next(self._kept)}, self._clock.now())

    async def close(self) -> None:
        """Have what the ledger has of this list be due, also for other replicas. Raises `LedgerFault`."""
        if self._ledger.replicas is not None:
            await self._ledger.replicas.taking_up(None)

    async def _admit(self, messages: Sequence[Message]) -> None:
        if self._at is None:
            self._at = self._snapshot.admitting = self._clock.now()
        if new := [message for message in messages if message.id not in self._known.ids]:
            unsent: Sequence[UUID] = await self._ledger.admit(new, self._at, self._max_age)
            events.unsent(unsent)
        self.looked_at += len(messages)
        self._kept += messages
        for message in messages:
            self._shown_before.pop(message.id, None)
        if len(self._kept) > MOST_OLD + MOST_NEW:
            self._kept = _next(self._kept)


def _next(messages: Collection[Message]) -> list[Message]:
    """Return the messages that are mailed next."""
    if len(messages) <= MOST_OLD + MOST_NEW:
        return list(messages)
    ordered = sorted(messages, key=_AGE)
    return ordered[:MOST_OLD] + ordered[-MOST_NEW:]


def _is_ours(at: datetime | None, now: datetime) -> bool:
    return at is None or abs(at - now) <= TOLERANCE
