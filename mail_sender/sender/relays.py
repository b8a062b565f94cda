"""The relays: the first one and its fallbacks, each with a transport, a gate and a condition of its own.

`route` decides which of them a delivery may go by. A relay's breaker, its pace and its number of mails in flight are
its own: what goes wrong at one of them changes nothing at the others.

That mail goes through another relay than before is logged once, when the first mail goes there; that it goes through
the first one again, as soon as that has accepted its probe.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mail_sender.condition import Condition, Fault
from mail_sender.ledger.base import Delivery, Key, Stuck
from mail_sender.relay.transport import Transport
from mail_sender.sender import events, route
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.sender.relay_view import RelayView
from mail_sender.sender.route import Standing
from mail_sender.verdict import RelayDown, Verdict

MOST_REMEMBERED = 10_000
"""Deliveries that are remembered to have met an outage."""


@dataclass(frozen=True, slots=True, eq=False)
class Relay:
    """One relay: its `place` (host and port, without a login), the way to it, and what is known of it.

    `after` is how many seconds the first relay must have been down before this one carries its mail.
    """

    place: str
    transport: Transport
    condition: Condition
    after: float = 0.0
    gate: RelayGate = field(default_factory=RelayGate)


@dataclass(frozen=True, slots=True)
class Grant:
    """The relay by which one mail goes, and its permission to."""

    relay: Relay
    permit: Permit


class Relays:
    """All relays of one configuration. All times are monotonic, in seconds.

    Each permit from `acquire` ends with the judgement of its relay's gate, or with `release`; both is fine.
    """

    def __init__(self, relays: Sequence[Relay]) -> None:
        self.first = relays[0]
        self.all = tuple(relays)
        self._places = tuple(relay.place for relay in relays)
        self._carries = self.first
        self._has_met: set[Key] = set()
        self._is_retired = False

    @property
    def fallbacks(self) -> Sequence[Relay]:
        """Those beside the first one."""
        return self.all[1:]

    @property
    def fallback_faults(self) -> list[Fault]:
        """What is wrong with the fallbacks now."""
        return [relay.condition.fault for relay in self.fallbacks if relay.condition.fault]

    def stand_in(self, now: float) -> str | None:
        """Return the place of the fallback through which mail goes now, if it goes through one."""
        carrier = self._carrier(now)
        return None if carrier is None or carrier is self.first else carrier.place

    def views(self, now: float) -> tuple[RelayView, ...]:
        """Return what those who watch see of each relay."""
        carrier = self._carrier(now)
        return tuple(replace(relay.gate.view(now), carries=relay is carrier) for relay in self.all)

    def flows(self, now: float) -> bool:
        """Say whether mail goes now without waiting for a probe."""
        return self._carrier(now) is not None

    def in_doubt(self, now: float) -> bool:
        """Say whether a mail to another domain may probe before its turn, since none goes without a probe."""
        return not self.flows(now) and any(relay.gate.in_doubt for relay in self._in_turn(now))

    def capacity(self, now: float) -> int:
        """Return how many more mails may be in flight, whichever relay they go by."""
        usable = (self.first,) if self.first.gate.is_closed else self.all
        return sum(relay.gate.capacity(now) for relay in usable)

    def stuck(self, now: float) -> Stuck | None:
        """Return which deliveries wait for a relay that lets no mail go now, not even a probe; None: none does.

        Without fallbacks, all mail waits for the same relay.
        """
        if not self.fallbacks:
            return None
        may_doubt = not self.flows(now)
        take_none = frozenset(one.place for one in self.all if not _takes_any(one.gate, now, may_doubt=may_doubt))
        return Stuck(take_none, self._places) if take_none else None

    def free(self, due: Sequence[Delivery], now: float, at: datetime) -> list[Delivery]:
        """Return the deliveries that do not wait for a relay of their own which takes none now.

        What is past its deadline at this time waits for nothing more.
        """
        if (stuck := self.stuck(now)) is None:
            return [*due]
        return [one for one in due if one.deadline <= at or not route.is_stuck(one, stuck)]

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until `acquire` may succeed where it did not; None if only the end of a mail helps."""
        waits = [relay.gate.retry_in(now) for relay in self._in_turn(now) if relay.gate.capacity(now) > 0]
        return min((wait for wait in waits if wait is not None), default=None)

    def changes_in(self, now: float) -> float | None:
        """Return the seconds until a fallback may carry mail, or a relay that takes none now takes one."""
        if not self.fallbacks:
            return None
        down_for = self.first.gate.down_for(now)
        waits = [relay.gate.retry_in(now) for relay in self.all]
        waits += [relay.after - down_for for relay in self.fallbacks if down_for is not None]
        return min((wait for wait in waits if wait is not None and wait > 0), default=None)

    def probe_now(self) -> None:
        """Let the next mail go at once, as a probe where a breaker is open, whatever the wait."""
        for relay in self.all:
            relay.gate.probe_now()

    def acquire(self, delivery: Delivery, now: float) -> Grant | None:
        """Return by which relay a mail may go, with the permission to; None if it has to wait."""
        owner = route.owner(delivery, self._places)
        for number in route.candidates(self._standings(now), owner, has_met=delivery.key in self._has_met):
            relay = self.all[number]
            permit = relay.gate.acquire(delivery.key, now) if relay.gate.capacity(now) > 0 else None
            if permit is not None:
                if owner is None and (relay is not self.first or not permit.is_probe):
                    self._carry(relay, now)
                return Grant(relay, permit)
        return None

    def note(self, key: Key, judged: Verdict, now: float) -> None:
        """Take in how a mail was judged: the first relay may be down by now, or take mail again."""
        if self.first.gate.is_closed:
            self._has_met.clear()
            self._carry(self.first, now)
        elif isinstance(judged, RelayDown) and self.fallbacks:
            if len(self._has_met) >= MOST_REMEMBERED:
                self._has_met.clear()  # they may be late once more
            self._has_met.add(key)

    def retire(self) -> None:
        """Log nothing more: another configuration is in use, under which the relays are others."""
        self._is_retired = True
        for relay in self.fallbacks:
            relay.condition.succeeded()

    async def close(self) -> None:
        """Give the idle connections to all relays back."""
        await asyncio.gather(*(relay.transport.close() for relay in self.all))

    def _carry(self, relay: Relay, now: float) -> None:
        before, self._carries = self._carries, relay
        if before is relay or self._is_retired:
            return
        if relay is self.first:
            events.moved_back(relay.place, before.place)
        else:
            events.moved_over(relay.place, before.place, self.first.place, self.first.gate.down_for(now) or 0.0)

    def _carrier(self, now: float) -> Relay | None:
        number = route.carrier(self._standings(now))
        return None if number is None else self.all[number]

    def _in_turn(self, now: float) -> list[Relay]:
        return [self.all[number] for number in route.candidates(self._standings(now))]

    def _standings(self, now: float) -> list[Standing]:
        return [Standing(relay.place, relay.gate.down_for(now), relay.after) for relay in self.all]


def _takes_any(gate: RelayGate, now: float, *, may_doubt: bool) -> bool:
    return gate.capacity(now) > 0 and (gate.retry_in(now) == 0.0 or (may_doubt and gate.in_doubt))
