"""Plan: which of the deliveries that are due go now, decided before anything is done.

A pure function of (due deliveries, addresses in flight, room, now). What is past its deadline is expired, not
mailed: a dead link helps nobody. Of the rest the first go, as far as there is room, in the order in which they came
(what has been due longest, and among those the oldest message): never two to one address at a time, so that two
messages to one person arrive in their order.
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


def plan(due: Iterable[Delivery], in_flight: AbstractSet[str], room: int, now: datetime) -> list[Step]:
    """Return the steps to take; `in_flight` holds addresses as `mailbox` gives them."""
    steps: list[Step] = []
    taken = set(in_flight)
    for delivery in due:
        if delivery.deadline <= now:
            steps.append(Expire(delivery))
        elif room > 0 and mailbox(delivery.recipient) not in taken:
            taken.add(mailbox(delivery.recipient))
            steps.append(Send(delivery))
            room -= 1
    return steps


def mailbox(recipient: str) -> str:
    """Return an address in the form in which two spellings of one mailbox are the same."""
    return recipient.casefold()
