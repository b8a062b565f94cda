"""The route: which relay a delivery may go by. A pure function of the delivery's past and of how the relays stand.

    the delivery             the first relay's breaker             it goes by
    may have arrived         whatever                              the relay that had its dot, and no other
    anything else            closed                                the first relay
                             open or half-open, for a short time   the first relay, as its probe
                             the same, for longer than `after`     the first relay, as its probe; if that wants none
                                                                   now, the first fallback whose breaker is closed;
                                                                   before that one, as the probe of those before it

Half-open counts as open here: a probe may hang for minutes, and the fallback goes on meanwhile. A relay that only
wants mail more slowly is not down: its breaker is closed, and mail waits for it. A mail that has met the outage
already is no probe again while a fallback carries mail: it would be late for nothing.

Where the relay that had a dot is not configured any more, the first one takes the second copy, as it takes all mail
after a change of the relay.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mail_sender.ledger.base import Delivery, Stuck


@dataclass(frozen=True, slots=True)
class Standing:
    """How one relay stands now; times are in seconds.

    `down_for` is how long its breaker has been open or half-open, None while it is closed. `after` is how long the
    first relay must have been down before this one may carry its mail; it is 0 for the first relay.
    """

    place: str
    down_for: float | None = None
    after: float = 0.0

    @property
    def is_closed(self) -> bool:
        """Whether its breaker is closed."""
        return self.down_for is None


def owner(delivery: Delivery, places: Sequence[str]) -> str | None:
    """Return the relay that may have a delivery's mail, so that no other may get it; None if certainly none has it.

    `places` are the relays of the configuration, the first one first.
    """
    if not delivery.ambiguous:
        return None
    had_dot = delivery.imprint.relay if delivery.imprint else None
    return had_dot if had_dot in places else places[0]


def candidates(standings: Sequence[Standing], of: str | None = None, *, has_met: bool = False) -> Sequence[int]:
    """Return which relays to ask for a permit, in this order, by their numbers; the one that gives one carries it.

    `of` is the delivery's `owner`; `has_met` says that an attempt of it has failed in this outage. The last one may
    carry mail without a probe, if its breaker is closed.
    """
    if of is not None:
        return [number for number, standing in enumerate(standings) if standing.place == of]
    found = []
    for number, standing in enumerate(standings):
        if may_carry(standing, standings[0]):
            found.append(number)
            if standing.is_closed:
                return [number] if has_met else found
    return found


def may_carry(standing: Standing, first: Standing) -> bool:
    """Say whether a relay may carry the first relay's mail, as the first relay always may."""
    return standing is first or (first.down_for is not None and first.down_for >= standing.after)


def carrier(standings: Sequence[Standing]) -> int | None:
    """Return which relay mail goes through now without a probe, by its number; None if all of it waits."""
    last = candidates(standings)[-1]
    return last if standings[last].is_closed else None


def is_stuck(delivery: Delivery, stuck: Stuck) -> bool:
    """Say whether a delivery waits for its own relay, which is among those that take none now."""
    return owner(delivery, stuck.relays) in stuck.take_none
