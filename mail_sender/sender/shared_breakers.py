"""The exchange between the relays' breakers here and those of other senders, where several share a ledger.

It is part of a turn of the dispatcher: what was found out is told before another mail begins, and what others have
found out is heard at most `shared_breaker.NEWS_LASTS` before. Where the ledger is one process's own, nothing happens.
If the ledger fails, whoever writes the next mail into it is told: nothing more is made of it here.
"""

from contextlib import suppress

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.outages import Heard, Outages
from mail_sender.sender.relays import Relay, Relays

_FOUND_BY = "{detail} (another sender has found it)"


class SharedBreakers:
    """The breakers of one configuration's relays; `outages` is None where no other sender knows of them."""

    def __init__(self, relays: Relays, outages: Outages | None, clock: Clock) -> None:
        self._relays = relays
        self._outages = outages
        self._clock = clock

    async def exchange(self, *, at_end: bool = False) -> None:
        """Tell what is to be told, and hear what is not heard yet."""
        if self._outages is None:
            return
        now = self._clock.monotonic()
        reports = [(relay, report) for relay in self._relays.all if (report := relay.gate.report(now, at_end=at_end))]
        if not reports:
            return
        with suppress(LedgerFault):
            found = await self._outages.exchange([report for _, report in reports])
            for (relay, _), heard in zip(reports, found, strict=True):
                self._hear(relay, heard)

    async def ask(self) -> bool:
        """Exchange at once if a mail waits for the permission to go first; say whether one did."""
        if not any(relay.gate.asks for relay in self._relays.all):
            return False
        await self.exchange()
        return True

    async def finish(self) -> None:
        """Tell the last, and give back the permissions; if the ledger fails, they end by themselves."""
        await self.exchange(at_end=True)

    def _hear(self, relay: Relay, heard: Heard) -> None:
        if not relay.gate.hear(heard, self._clock.monotonic()):
            return
        if heard.outage is None:
            relay.condition.up(self._clock.now())
        else:
            detail = _FOUND_BY.format(detail=heard.outage.detail)
            relay.condition.down(heard.outage.stage, detail, heard.outage.advice, self._clock.now())
