"""What is in flight: the deliveries whose attempts are running, and the ends that the ledger could not write yet.

This record outlives a change of the configuration. An attempt that has reached the dot by then may end while the new
parts run, and they do not take its delivery for one that was left behind.
"""

import asyncio

from mail_sender.ledger.base import Delivery, Key
from mail_sender.names.address import mailbox
from mail_sender.sender.attempt_end import End


class InFlight:
    """Deliveries in flight by key, each as far as it has come.

    The rest is the ledger gate's, which alone changes it: `unwritten` are ends in the order in which they came,
    `writing` is held while they are offered again. `needs_recovery` says that the ledger may hold a claim that nobody
    works on: at the start of the process, and after the ledger failed.
    """

    def __init__(self) -> None:
        self._deliveries: dict[Key, Delivery] = {}
        self.unwritten: list[End] = []
        self.writing = asyncio.Lock()
        self.needs_recovery = True

    def put(self, delivery: Delivery) -> None:
        """Take in a delivery whose attempt begins, or one that has come further."""
        self._deliveries[delivery.key] = delivery

    def remove(self, delivery: Delivery) -> None:
        """Take out a delivery whose attempt has ended."""
        self._deliveries.pop(delivery.key, None)

    def latest(self, delivery: Delivery) -> Delivery:
        """Return a delivery in flight as far as it has come."""
        return self._deliveries.get(delivery.key, delivery)

    @property
    def keys(self) -> frozenset[Key]:
        """The deliveries that somebody in this process works on."""
        return frozenset({*self._deliveries, *(end.delivery.key for end in self.unwritten)})

    @property
    def recipients(self) -> frozenset[str]:
        """The addresses that a mail is in flight to, as the ledger has them."""
        return frozenset(recipient for _, recipient in self._deliveries)

    @property
    def mailboxes(self) -> frozenset[str]:
        """The same in the form in which two spellings of one mailbox are equal."""
        return frozenset(mailbox(recipient) for _, recipient in self._deliveries)
