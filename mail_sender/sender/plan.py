"""Plan: which of the deliveries that are due go now, decided before anything is done.

A pure function of the deliveries that are due, the addresses in flight, the free capacity and the time.

1. A delivery past its deadline is expired, not mailed: a dead link helps nobody.
2. Of the others, the first ones go, as many as there is capacity for. The ledger gives them in order: first those
   that have been due longest, and among those the oldest message.
3. Two mails to one address never go at once, so that two messages to one person arrive in their order.
"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from mail_sender.ledger.base import Delivery


@dataclass(frozen=True, slots=True)
class Expire:
    """Give this delivery up: its time has run out."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Send:
    """Mail this delivery."""

    delivery: Delivery


Step = Expire | Send


def plan(due: Iterable[Delivery], in_flight: AbstractSet[str], capacity: int, now: datetime) -> list[Step]:
    """Return the steps to take; `in_flight` holds addresses as `mailbox` gives them."""
    steps: list[Step] = []
    taken = set(in_flight)
    for delivery in due:
        if delivery.deadline <= now:
            steps.append(Expire(delivery))
        elif capacity > 0 and mailbox(delivery.recipient) not in taken:
            taken.add(mailbox(delivery.recipient))
            steps.append(Send(delivery))
            capacity -= 1
    return steps


def mailbox(recipient: str) -> str:
    """Return an address in the form in which two spellings of one mailbox are the same."""
    return recipient.casefold()
