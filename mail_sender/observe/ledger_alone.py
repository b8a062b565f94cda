"""The status that a ledger alone can give: no sender runs, none that answers, or none on this machine."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from mail_sender.clock import Clock
from mail_sender.ledger import database
from mail_sender.ledger.base import Ledger
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.replicas import Replica
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.ledger.summary import Summary

if TYPE_CHECKING:
    from mail_sender.observe.health import Health
    from mail_sender.observe.status import Status


class LedgerAlone:
    """Reports, in the place of a sender, what the ledger of a folder shows, or of a database that `shared` names."""

    def __init__(self, ledger: Ledger, state: StateFolder, clock: Clock, shared: LedgerConfig | None = None) -> None:
        self._ledger = ledger
        self._state = state
        self._clock = clock
        self._shared = shared

    @property
    def place(self) -> str:
        """Where the ledger is."""
        return database.target_of(self._shared).place if self._shared else str(self._state.ledger)

    async def replicas(self) -> Sequence[Replica]:
        """Return the senders that share the ledger and live. Raises `LedgerFault`."""
        return await self._ledger.replicas.read() if self._ledger.replicas else ()

    async def status(self) -> "Status":
        """Return the status. Raises `LedgerFault` if the ledger cannot be read."""
        now = self._clock.now()
        summary, replicas = await self._ledger.summary(now), await self.replicas()
        return _composed(self._state, summary, now, self._shared, replicas)

    def health(self) -> "Health | None":
        """Return None: there is no sender whose health it would be."""
        return None


def without_ledger(state: StateFolder, now: datetime, shared: LedgerConfig | None = None) -> "Status":
    """Return the status of a folder in which there is no ledger, or of a database that cannot be read."""
    return _composed(state, None, now, shared)


def _composed(
    state: StateFolder,
    summary: Summary | None,
    now: datetime,
    shared: LedgerConfig | None,
    replicas: Sequence[Replica] = (),
) -> "Status":
    from mail_sender.observe import compose, disk  # noqa: PLC0415 - no other command without a sender needs them

    return compose.status(compose.Seen(disk.ledger_status(state, shared), summary, replicas=replicas), now)
