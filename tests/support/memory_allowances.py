"""What senders may send together, in the memory of a test: `now` gives the time, and `takes` says how often one took."""

from collections import Counter
from collections.abc import Callable, Sequence

from mail_sender.ledger.allowances import Change, Quota, Taken


class MemoryAllowances:
    """The quotas of all senders."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self.mails: dict[str, Counter[int]] = {}
        self.takes = 0

    async def take(self, quotas: Sequence[Quota], wanted: int, change: Change) -> Taken:
        """Take at most so many mails as are wanted, after what has changed."""
        self.takes += 1
        at, left = int(self._now()), list[int]()
        for quota in quotas:
            slots = self.mails.setdefault(quota.name, Counter())
            for back, mails in change.back.items():
                slots[_slot(quota, back)] = max(0, slots[_slot(quota, back)] - mails)
            if quota.known and _slot(quota, at) not in slots:
                slots[_slot(quota, at)] = quota.known
            left.append(quota.most - self._used(quota, at))
        mails = max(0, min(wanted, *left))
        for quota in quotas:
            self.mails[quota.name][_slot(quota, at)] += mails + change.over
        reached = {
            quota.name: self._oldest(quota, at) + quota.seconds - self._now()
            for quota in quotas
            if self._used(quota, at) >= quota.most
        }
        return Taken(mails, at, reached)

    def _used(self, quota: Quota, at: int) -> int:
        return sum(mails for slot, mails in self.mails[quota.name].items() if _counts(quota, slot, at))

    def _oldest(self, quota: Quota, at: int) -> int:
        slots = (slot for slot, mails in self.mails[quota.name].items() if mails and _counts(quota, slot, at))
        return min(slots, default=_slot(quota, at))


def _slot(quota: Quota, at: int) -> int:
    return at // quota.seconds * quota.seconds if quota.is_whole else at


def _counts(quota: Quota, slot: int, at: int) -> bool:
    return _slot(quota, at) - quota.seconds < slot <= _slot(quota, at)
