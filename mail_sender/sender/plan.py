"""Plan: which of the deliveries that are due go now, decided before anything is done.

A pure function of the deliveries that are due, the addresses in flight, the free capacity, the operator's rules and
the time.

1. A delivery past its deadline is expired, not mailed: a dead link helps nobody.
2. A delivery to a domain on the list of disposable ones is refused, where the operator wants that. One that was tried
   before, or that an operator has queued again, is not.
3. Of the others, the first ones go, as many as there is capacity for, and nothing behind them is looked at. They come
   in turn (`in_turn`): one that a poll of the last minute has brought, one of the backlog. The fresh ones have a lead
   (`read_ahead`). The backlog comes in the ledger's order: first what has been due longest, and among that the oldest
   message.
4. Two mails to one address never go at once, so that two messages to one person arrive in their order.
5. A delivery that a limit holds back stays where it is, or is put off if the limit is its recipient's: the others go.
   One that cannot wait for the limit goes over it (`limits`).
"""

from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice

from mail_sender.ledger.base import Delivery
from mail_sender.names.address import mailbox
from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import Allowance, Hold, Limit, longest_bearable


@dataclass(frozen=True, slots=True)
class Expire:
    """Give this delivery up: its time has run out."""

    delivery: Delivery


@dataclass(frozen=True, slots=True)
class Refuse:
    """Mail nothing to this recipient: the domain is on the list of disposable ones."""

    delivery: Delivery
    domain: str


@dataclass(frozen=True, slots=True)
class PutOff:
    """Look at this delivery again when the limit on mail for its recipient lets it go."""

    delivery: Delivery
    hold: Hold


@dataclass(frozen=True, slots=True)
class Send:
    """Mail this delivery; `over` are the limits that are reached, and that it cannot wait for."""

    delivery: Delivery
    over: tuple[Hold, ...] = ()


Step = Expire | Refuse | PutOff | Send


@dataclass(frozen=True, slots=True)
class Rules:
    """What the operator allows: limits with what counts against them, and the disposable domains."""

    allowance: Allowance = field(default_factory=Allowance)
    disposable: Disposable = field(default_factory=Disposable)

    def refused_domain(self, delivery: Delivery) -> str | None:
        """Return the domain on the list for which a delivery is refused, if it is."""
        is_new = delivery.claim == 0  # neither tried nor changed by an operator's command
        return self.disposable.listed(delivery.recipient) if is_new and self.disposable.refuses else None


def plan(
    due: Iterable[Delivery], in_flight: AbstractSet[str], capacity: int, now: datetime, rules: Rules | None = None
) -> list[Step]:
    """Return the steps to take; `in_flight` holds addresses as `mailbox` gives them."""
    steps: list[Step] = []
    taken = set(in_flight)
    rules = rules or Rules()
    sent, reached = 0, rules.allowance.reached(now)
    for delivery in due:
        if sent and sent == capacity:
            break
        address = mailbox(delivery.recipient)
        if delivery.deadline <= now:
            steps.append(Expire(delivery))
        elif domain := rules.refused_domain(delivery):
            steps.append(Refuse(delivery, domain))
        elif sent < capacity and address not in taken:
            of_recipient = rules.allowance.reached_by(address, now)
            holds = [*reached, of_recipient] if of_recipient else reached
            hold = longest_bearable(holds, delivery.deadline)
            if hold is None:
                taken.add(address)
                steps.append(Send(delivery, tuple(holds)))
                sent += 1
                reached = rules.allowance.reached(now, sent)
            elif hold.limit is Limit.PER_RECIPIENT:
                steps.append(PutOff(delivery, hold))
    return steps


def in_turn(due: Iterable[Delivery], fresh: Iterable[Delivery], *, fresh_first: int) -> Iterator[Delivery]:
    """Yield deliveries of both by turns, each once; so many fresh ones go before the first of the others.

    Two for one address keep their order, if each fresh one stands behind what is due for its address.
    """
    seen = set()
    for delivery in _by_turns(iter(due), iter(fresh), fresh_first):
        if delivery.key not in seen:
            seen.add(delivery.key)
            yield delivery


def _by_turns(due: Iterator[Delivery], fresh: Iterator[Delivery], count: int) -> Iterator[Delivery]:
    for one in due:
        yield from islice(fresh, count)
        yield one
        count = 1
    yield from fresh
