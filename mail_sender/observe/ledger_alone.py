"""The status that a ledger alone can give: no sender runs, or none that answers."""

from datetime import datetime
from typing import TYPE_CHECKING

from mail_sender.clock import Clock
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.summary import Summary

if TYPE_CHECKING:
    from mail_sender.observe.health import Health
    from mail_sender.observe.status import Status


class LedgerAlone:
    """Reports, in the place of a sender, what the ledger of a folder shows."""

    def __init__(self, ledger: Ledger, state: StateFolder, clock: Clock) -> None:
        self._ledger = ledger
        self._state = state
        self._clock = clock

    async def status(self) -> "Status":
        """Return the status. Raises `LedgerFault` if the ledger cannot be read."""
        now = self._clock.now()
        return _composed(self._state, await self._ledger.summary(now), now)

    def health(self) -> "Health | None":
        """Return None: there is no sender whose health it would be."""
        return None


def without_ledger(state: StateFolder, now: datetime) -> "Status":
    """Return the status of a folder in which there is no ledger."""
    return _composed(state, None, now)


def _composed(state: StateFolder, summary: Summary | None, now: datetime) -> "Status":
    from mail_sender.observe import compose, disk  # noqa: PLC0415 - no other command without a sender needs them

    return compose.status(compose.Seen(disk.ledger_status(state), summary), now)
