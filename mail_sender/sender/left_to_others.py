"""What is left to the other replicas for a while, since the server does not give it to this one."""

from mail_sender.clock import Clock
from mail_sender.ledger.base import Delivery
from mail_sender.names.address import mailbox

LEFT_FOR = 60.0
"""Seconds: after half of it the others read it, as it is due for so long; then this replica looks again."""
MOST = 10_000
"""Addresses that are remembered; the oldest is forgotten first."""


class NotGiven(Exception):
    """The server does not give this replica a message now: nothing is to be written of it."""


class LeftToOthers:
    """Addresses whose mail this replica does not touch for now; so they keep their order."""

    def __init__(self) -> None:
        self._until: dict[str, float] = {}  # of recipients, in their order

    def __bool__(self) -> bool:
        return bool(self._until)

    def leave(self, delivery: Delivery, clock: Clock) -> None:
        """Leave a delivery to the others, and all mail for its address with it."""
        self._until.pop(delivery.recipient, None)
        if len(self._until) >= MOST:
            self._until.pop(next(iter(self._until)))
        self._until[delivery.recipient] = clock.monotonic() + LEFT_FOR

    def recipients(self, now: float) -> frozenset[str]:
        """Return to whom nothing goes now, on the monotonic clock."""
        while self._until and (first := next(iter(self._until.items())))[1] <= now:
            del self._until[first[0]]
        return frozenset(self._until)

    def mailboxes(self, now: float) -> frozenset[str]:
        """Return the same in the form in which two spellings of one mailbox are equal."""
        return frozenset(map(mailbox, self.recipients(now)))
