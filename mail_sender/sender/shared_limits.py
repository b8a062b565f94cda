"""The limits on all mail where several senders share a ledger: they hold for all of them together.

1. Before a mail goes, it is taken from what all may send (`ledger.allowances`), a few at a time (`share`), so that a
   mail does not cost a question each. No limit is passed, however many senders come and go.
2. If nothing is left of a limit, it holds mail back until there is, as a limit of one sender does. It is asked again
   every few seconds, since others may give some back.
3. How many a mailbox got in the last hour is read from the ledger again and again: whose turn a mailbox is changes
   as senders come and go, and two mails for it never go at once.

`[relay] per_minute` counts a little longer than a minute, since a mail goes some seconds after it was taken.
"""

from collections.abc import Iterable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.allowances import Change, Quota, Taken
from mail_sender.ledger.base import Key
from mail_sender.sender import share
from mail_sender.sender.limits import DAY, HOUR, Allowance, Hold, Limit, Limits
from mail_sender.sender.parts import Parts

A_MINUTE = 65
"""Seconds for which a mail counts against the limit a minute."""
ASKED_AGAIN = 10.0
"""Seconds after which a limit of which nothing was left is asked again."""
LEARNT_EVERY = 5.0
"""Seconds after which it is read again to whom mails went; longer, where to read them takes long."""
LONGEST_ATTEMPT = HOUR
"""Attempts are read that began so long before what is counted, since it counts when they ended."""
_SPARES = 100


class SharedLimits:
    """The limits of one configuration; where the ledger is not shared, nothing happens."""

    def __init__(self, limits: Limits, parts: Parts, clock: Clock) -> None:
        self._limits = limits
        self._parts = parts
        self._clock = clock
        self._allowances = parts.ledger.allowances
        self._share = parts.recent_mails.share
        self._quotas: dict[Limit, Quota] = {}
        self._holds: dict[Limit, Hold] = {}
        self._asks_again_at = float("-inf")
        self._lacks = False
        self._learns_at = float("-inf")

    @property
    def holds(self) -> Sequence[Hold]:
        """The limits that all senders together have reached, as far as was asked lately."""
        return [*self._holds.values()] if self._clock.monotonic() < self._asks_again_at else []

    def follow(self, allowance: Allowance, now: datetime) -> None:
        """Go by what the limits allow now."""
        if self._allowances is None:
            return
        self._quotas.clear()
        if (most := self._limits.per_minute) is not None:
            self._quotas[Limit.PER_MINUTE] = Quota(Limit.PER_MINUTE, most, A_MINUTE)
        if (most := allowance.most_today(now)) is not None:
            name, day = f"{Limit.WARM_UP} {self._limits.relay}", round(DAY.total_seconds())
            self._quotas[Limit.WARM_UP] = Quota(name, most, day, is_whole=True, known=allowance.usage.today)

    def lets_go(self, over: Iterable[Hold]) -> bool:
        """Say whether a mail may go: one that goes over a limit on all mail may, and any that is taken."""
        if not self._quotas or _is_over(over) or self._share.has_any(self._clock.monotonic()):
            return True
        self._lacks = True
        return False

    def start(self, key: Key, over: Iterable[Hold]) -> None:
        """Take in that a mail goes."""
        if self._quotas:
            self._share.start(key, self._clock.monotonic(), over=_is_over(over))

    async def take(self, due: int) -> bool:
        """Take some mails of so many that are due, if one lacked; say whether there were any.

        Raises `LedgerFault`.
        """
        lacked, self._lacks = self._lacks, False
        if not lacked:
            return False
        began, quotas = self._clock.monotonic(), dict(self._quotas)
        most = share.wanted(min(quota.most for quota in quotas.values()), due)
        taken = await self._exchange(most, self._share.change(began) or Change())
        self._share.take_in(taken, began)
        self._asks_again_at = began + ASKED_AGAIN
        until = {name: self._clock.now() + timedelta(seconds=left) for name, left in taken.reached.items()}
        self._holds = {
            limit: Hold(limit, quota.most, until[quota.name])
            for limit, quota in quotas.items()
            if quota.name in until and not taken.mails
        }
        return taken.mails > 0

    async def give_back(self, *, at_end: bool = False) -> None:
        """Give back what was not used, and say what went over the limits. Raises `LedgerFault`."""
        change = self._share.change(self._clock.monotonic(), at_end=at_end)
        if change is not None and self._quotas:
            await self._exchange(0, change)

    async def finish(self) -> None:
        """Give all back; what a ledger that fails does not take counts as sent."""
        with suppress(LedgerFault):
            await self.give_back(at_end=True)

    async def learn(self) -> None:
        """Read to whom other senders' mails went, if it is time. Raises `LedgerFault`."""
        began = self._clock.monotonic()
        if self._allowances is None or self._limits.per_recipient_per_hour is None or began < self._learns_at:
            return
        now = self._clock.now()
        self._parts.recent_mails.learn(await self._parts.ledger.accepted(now - HOUR - LONGEST_ATTEMPT), now)
        ended = self._clock.monotonic()
        self._learns_at = ended + max(LEARNT_EVERY, _SPARES * (ended - began))

    async def _exchange(self, wanted: int, change: Change) -> Taken:
        if self._allowances is None:
            raise AssertionError  # then there are no quotas
        self._share.gives(change)
        taken = await self._allowances.take([*self._quotas.values()], wanted, change)
        self._share.gave(change)
        return taken


def _is_over(over: Iterable[Hold]) -> bool:
    return any(hold.limit is not Limit.PER_RECIPIENT for hold in over)
