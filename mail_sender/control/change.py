"""One delivery changed by a command.

The decision is written under the claim that was read. If somebody has changed the delivery meanwhile, the delivery is
read again, and the decision is made again.
"""

from collections.abc import Callable
from datetime import datetime

from mail_sender.clock import Clock
from mail_sender.control.verbs import IN_FLIGHT, Verb
from mail_sender.ledger.base import Delivery, Ledger, Outcome
from mail_sender.ledger.states import ChangedMeanwhile

_TRIES = 5

Decide = Callable[[Delivery, datetime], Outcome | str]


async def change(
    ledger: Ledger, clock: Clock, verb: Verb, delivery: Delivery, decide: Decide | None = None
) -> tuple[Delivery, Outcome | str]:
    """Change a delivery as is decided of it, by default by the verb alone.

    Returns the delivery as it was read last, and what it became, or a sentence that says why it was not changed.
    """
    for _ in range(_TRIES):
        now = clock.now()
        outcome = (decide or verb.decide)(delivery, now)
        if isinstance(outcome, str):
            return delivery, outcome
        try:
            await ledger.apply_command(delivery, outcome, now, verb.line(now))
        except ChangedMeanwhile:
            fresh = await ledger.deliveries(delivery.message)
            same = [found for found in fresh if found.recipient == delivery.recipient]
            if not same:
                return delivery, "is not in the ledger any more"
            delivery = same[0]
        else:
            return delivery, outcome
    return delivery, IN_FLIGHT
