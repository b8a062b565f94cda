"""What is under way: letters on their way, and outcomes that the ledger has not taken yet.

It outlives a change of the configuration: a letter that is at its dot then may end in peace, beside the parts that
are made anew, and nobody takes its delivery for one that was left behind.
"""

import asyncio
from dataclasses import dataclass, field

from mail_sender.ledger.base import Attempt, Delivery, Key, Outcome
from mail_sender.sender.plan import mailbox


@dataclass(frozen=True, slots=True)
class Unwritten:
    """An outcome that the ledger did not take."""

    delivery: Delivery
    outcome: Outcome
    attempt: Attempt


@dataclass(frozen=True, slots=True)
class InFlight:
    """Letters by delivery, each as far as it has come, and outcomes in the order in which they came."""

    mails: dict[Key, Delivery] = field(default_factory=dict)
    unwritten: list[Unwritten] = field(default_factory=list)
    writing: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def keys(self) -> frozenset[Key]:
        """The deliveries that somebody here works on."""
        return frozenset({*self.mails, *(late.delivery.key for late in self.unwritten)})

    @property
    def recipients(self) -> frozenset[str]:
        """The addresses that a letter is under way to, as the ledger has them."""
        return frozenset(recipient for _, recipient in self.mails)

    @property
    def mailboxes(self) -> frozenset[str]:
        """The same in the form in which two spellings of one mailbox are the same."""
        return frozenset(mailbox(recipient) for _, recipient in self.mails)
