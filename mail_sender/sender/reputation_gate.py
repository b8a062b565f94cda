"""The reputation gate: what the operator's limits and the list of disposable domains let go, hold back or refuse.

1. Before the first mail, what went lately is read from the ledger (`recent_mails`), so that a restart begins no limit
   anew. The first day of a warm-up is kept in the ledger, for each relay.
2. `plan` decides by the `rules` of the time. A limit on all mail holds back what stays in the queue, due. A limit on
   the mail for one recipient puts its deliveries off, so that they are not read again and again.
3. What is held back is logged when it begins and ends, and shown (`held_back`).
4. Where senders share a ledger, the limits hold for all of them together (`shared_limits`).

Without limits and without a list, the gate asks the ledger for nothing.
"""

from collections.abc import Iterable
from datetime import datetime

from mail_sender.backoff import HELD_BACK_WAIT, IN_TIME
from mail_sender.clock import Clock
from mail_sender.ledger.base import Delivery, Key, Query
from mail_sender.ledger.states import State
from mail_sender.sender import attempt_end, events
from mail_sender.sender.attempt_end import End
from mail_sender.sender.config import ReputationConfig
from mail_sender.sender.holding import HeldBack, Holding
from mail_sender.sender.limits import HOUR, Allowance, Hold, Limit, Usage, start_of_day
from mail_sender.sender.parts import Parts
from mail_sender.sender.plan import Rules
from mail_sender.sender.shared_limits import LONGEST_ATTEMPT, SharedLimits

COUNTED_EVERY = 5.0
"""Seconds after which what a limit on all mail holds back is counted again."""


class ReputationGate:
    """The gate of one configuration."""

    def __init__(self, config: ReputationConfig, parts: Parts, clock: Clock) -> None:
        self._limits, self._disposable = config.limits, config.disposable
        self._parts = parts
        self._clock = clock
        self._warm_up_from = self._limits.warm_up.first_day if self._limits.warm_up else None
        self._is_ready = not self._limits.are_set
        self._together = SharedLimits(self._limits, parts, clock)
        self._day = 0
        self._holdings = {limit: Holding(limit) for limit in Limit}
        self._put_off: dict[Key, datetime] = {}
        self._why_put_off = ""
        self._counted_at = float("-inf")
        self._waiting = 0

    async def prepare(self) -> None:
        """Read from the ledger what counts against the limits, and share it. Raises `LedgerFault`."""
        if not self._is_ready:
            await self._read()
        if self._limits.are_set:
            await self._together.give_back()
            await self._together.learn()

    async def _read(self) -> None:
        now, ledger, recent = self._clock.now(), self._parts.ledger, self._parts.recent_mails
        if self._limits.warm_up and self._warm_up_from is None:
            began = await ledger.began(f"warm_up {self._limits.relay}", now)
            self._warm_up_from = start_of_day(began).date()
        if not recent.is_filled:
            counted_from = min(start_of_day(now), now - HOUR)
            recent.fill(await ledger.accepted(counted_from - LONGEST_ATTEMPT), now)
        self._is_ready = True

    def rules(self) -> Rules:
        """Return what the operator allows now."""
        return Rules(self._allowance(self._clock.now()), self._disposable)

    def urgent_by(self) -> datetime | None:
        """Return the deadline by which a mail may go although a limit on all mail is reached; None if none is."""
        now = self._clock.now()
        reached = self._allowance(now).reached(now)
        return min(hold.until for hold in reached) + IN_TIME if reached else None

    async def held_for(self) -> float | None:
        """Return the seconds until a limit on all mail lets one go again, if one is reached; note what waits."""
        if not self._limits.are_set:
            return None
        now = self._clock.now()
        self._note_put_off(now)
        reached = sorted(self._allowance(now).reached(now), key=lambda hold: hold.until)
        self._waiting = await self._count_waiting(now) if reached else 0
        holds = reached[-1] if self._waiting else None
        for limit in (Limit.PER_MINUTE, Limit.WARM_UP):
            if holds is not None and holds.limit is limit:
                self._holdings[limit].holds(self._reason(holds), self._waiting, holds.until, now)
            else:
                self._holdings[limit].holds_nothing(now)
        return (reached[0].until - now).total_seconds() if reached else None

    def lets_go(self, over: Iterable[Hold]) -> bool:
        """Say whether a mail may go that the rules let go, over these limits: as far as other senders leave any."""
        return self._together.lets_go(over)

    async def ask(self, due: int) -> bool:
        """Ask for some of what all senders may send, if a mail lacked that; say whether there was any.

        Raises `LedgerFault`.
        """
        return await self._together.take(due)

    async def finish(self) -> None:
        """Leave to other senders what was not used."""
        await self._together.finish()

    def put_off(self, delivery: Delivery, hold: Hold) -> End:
        """Return how a delivery is held back until the limit on mail for its recipient lets it go."""
        now = self._clock.now()
        is_known = delivery.key in self._put_off
        self._put_off[delivery.key] = hold.until
        self._why_put_off = self._reason(hold)
        self._note_put_off(now)
        why = None if is_known else self._why_put_off
        return attempt_end.held_back(delivery, min(hold.until, now + HELD_BACK_WAIT), why, now)

    def refuse(self, delivery: Delivery, domain: str) -> End:
        """Return the end of a delivery to a disposable domain."""
        return attempt_end.disposable(delivery, _REFUSED.format(domain=domain), self._clock.now())

    def start(self, delivery: Delivery, over: Iterable[Hold]) -> None:
        """Take in that a mail goes, and over which limits."""
        now = self._clock.now()
        self._parts.recent_mails.start(delivery.key)
        self._together.start(delivery.key, over)
        self._put_off.pop(delivery.key, None)
        for hold in over:
            self._holdings[hold.limit].goes_over(self._reason(hold), now)
        if delivery.claim == 0 and (domain := self._disposable.listed(delivery.recipient)):
            events.disposable(delivery, domain)

    def held_back(self) -> tuple[HeldBack, ...]:
        """Return what the limits hold back now."""
        now = self._clock.now()
        found = (holding.held(now) for holding in self._holdings.values())
        return tuple(held for held in found if held is not None)

    def _allowance(self, now: datetime) -> Allowance:
        if not self._limits.are_set:
            return Allowance()
        recent = self._parts.recent_mails
        counted = recent.in_flight, recent.lately(now), recent.by_mailbox(now), recent.of_day(now)
        allowance = Allowance(self._limits, Usage(*counted, self._warm_up_from, self._together.holds))
        self._together.follow(allowance, now)
        self._report_day(allowance, now)
        return allowance

    def _report_day(self, allowance: Allowance, now: datetime) -> None:
        """Log each day of the warm-up when it begins, and its end."""
        warm_up, before = self._limits.warm_up, self._day
        if warm_up is None or not self._is_ready:
            return
        self._day = min(allowance.day_of_warm_up(now), warm_up.days + 1)
        if self._day != before and (self._day <= warm_up.days or before):
            events.warm_up(self._day, warm_up.days, warm_up.most(self._day))

    def _note_put_off(self, now: datetime) -> None:
        holding = self._holdings[Limit.PER_RECIPIENT]
        self._put_off = {key: until for key, until in self._put_off.items() if until > now}
        if self._put_off:
            holding.holds(self._why_put_off, len(self._put_off), min(self._put_off.values()), now)
        else:
            holding.holds_nothing(now)

    async def _count_waiting(self, now: datetime) -> int:
        """Return how many deliveries are due that do not go, as it was a few seconds ago if there were any."""
        if self._waiting and self._clock.monotonic() < self._counted_at + COUNTED_EVERY:
            return self._waiting
        self._counted_at = self._clock.monotonic()
        if not await self._parts.ledger.due(now, 1, self._parts.in_flight.recipients):
            return 0
        queued = Query(frozenset({State.QUEUED}), due_by=now)
        return max(1, (await self._parts.ledger.count(queued)).get(State.QUEUED, 0))

    def _reason(self, hold: Hold) -> str:
        which = {
            Limit.PER_MINUTE: "a minute",
            Limit.PER_RECIPIENT: "an hour for one recipient",
            Limit.WARM_UP: f"on day {self._day} of the warm-up",
        }
        mails = "1 mail" if hold.most == 1 else f"{hold.most} mails"
        key = f"[relay] {hold.limit}"
        return f"the limit of {mails} {which[hold.limit]} is reached ({key})"


_REFUSED = (
    "{domain} is on the list of disposable domains ([recipients] disposable_domains_path); `mail-sender queue retry` "
    "mails it all the same"
)
