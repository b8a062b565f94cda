"""What senders know of relays together, in the memory of a test: `now` is the time, which the test makes."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from mail_sender.ledger.outages import TRIED_WITHIN, Heard, Outage, Report

NEVER = float("-inf")


@dataclass
class _Relay:
    outage: Outage | None = None
    failed_at: float = NEVER
    retry_at: float = NEVER
    worked_at: float | None = None
    tried_by: str | None = None
    try_until: float = NEVER


class MemoryOutages:
    """The relays of all senders; `of` gives one sender's part."""

    def __init__(self) -> None:
        self.now = 0.0
        self._relays: dict[str, _Relay] = {}

    def of(self, sender: str) -> "MemoryPart":
        """Return what one sender uses."""
        return MemoryPart(self, sender)

    def exchange(self, sender: str, report: Report) -> Heard:
        """Take in what a sender tells of a relay, and return how it stands then."""
        relay = self._relays.setdefault(report.relay, _Relay())
        was_ours = relay.tried_by == sender
        if was_ours and (report.outage or report.works or report.gives_back):
            relay.tried_by = None
        if report.outage is not None:
            self._down(relay, report.outage, was_ours=was_ours)
        elif report.works:
            relay.outage, relay.worked_at, relay.tried_by = None, self.now, None
        soonest = relay.retry_at if report.after is None else min(relay.retry_at, relay.failed_at + report.after)
        is_free = relay.tried_by is None or self.now > relay.try_until
        may_try = report.asks and is_free and (relay.outage is None or soonest <= self.now)
        if may_try:
            relay.tried_by, relay.try_until = sender, self.now + TRIED_WITHIN
        outage = relay.outage and replace(relay.outage, retry_in=max(0.0, soonest - self.now))
        worked_ago = None if relay.worked_at is None else self.now - relay.worked_at
        return Heard(outage, worked_ago, may_try, self.now - relay.failed_at if outage else None)

    def _down(self, relay: _Relay, outage: Outage, *, was_ours: bool) -> None:
        wait, retry_at = outage.wait, self.now + outage.retry_in
        if relay.outage is not None and not was_ours:
            wait, retry_at = max(wait, relay.outage.wait), max(retry_at, relay.retry_at)
        relay.outage, relay.failed_at, relay.retry_at = replace(outage, wait=wait), self.now, retry_at


class MemoryPart:
    """One sender's part."""

    def __init__(self, outages: MemoryOutages, sender: str) -> None:
        self._outages = outages
        self._sender = sender

    async def exchange(self, reports: Sequence[Report]) -> Sequence[Heard]:
        """Take in what is told of each relay."""
        return [self._outages.exchange(self._sender, one) for one in reports]
