"""The role: whether this replica polls for all that share the ledger, or follows the one that does.

1. Where only one process writes the ledger, it polls, and nothing of this is asked.
2. Each replica with a schedule stands for it. Whoever polls gives it up when a poll fails, as soon as another replica
   says that it can mail: that one's token and network may be good. It is not given up where the server asks for a
   pause: that means everybody.
3. Whoever gave it up lets others go first for a while, longer each time. So a list that nobody can read is asked for
   by one after the other, and hardly more often than by one alone.
4. A poll that makes no headway for a minute lets the role go to another one in the same way.
5. A replica whose token or network is at fault says so: it has no share of what is due until that is mended.
"""

from contextlib import suppress
from dataclasses import replace

import structlog

from mail_sender.backoff import ANOTHER_POLLS
from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, ServerFault
from mail_sender.ledger.replicas import Replicas

HEADWAY = 60.0
"""Seconds within which a poll has come further."""

_log = structlog.get_logger()


class Role:
    """The role of this replica, under one configuration; `digest` is one of what shapes its mails."""

    def __init__(self, replicas: Replicas | None, digest: str, clock: Clock) -> None:
        self._replicas = replicas
        self._digest = digest
        self._clock = clock
        self._patience = 0.0
        self._is_patient_until = float("-inf")
        self._late_at = float("inf")
        self._failed = False
        self._was_ours: bool | None = None

    @property
    def is_ours(self) -> bool:
        """Whether it is this replica that polls now."""
        return self._replicas is None or self._replicas.polls

    async def stand(self) -> None:
        """Stand for it, and take it if nobody has it."""
        if self._replicas is None:
            return
        self._replicas.describe(replace(self._replicas.said, digest=self._digest))
        self._replicas.stand(self._stands)
        with suppress(LedgerFault):  # the next beat does
            await self._replicas.taking_up(None)  # a list that another configuration began, and did not end
            await self._replicas.beat()

    async def give_up(self) -> None:
        """Stand for it no more: this replica ends."""
        if self._replicas is not None:
            self._replicas.stand(_not_at_all)
            with suppress(LedgerFault):  # then its lease runs out
                await self._replicas.give_up_polling()

    def headway(self) -> None:
        """Take in that a poll begins, or has come further."""
        self._late_at = self._clock.monotonic() + HEADWAY

    def is_good(self) -> None:
        """Take in that a poll, or a look at the server, was good: this replica can mail."""
        self._carries(now=True)
        if self.is_ours:
            self._patience, self._failed = 0.0, False

    async def poll_failed(self, fault: ServerFault) -> None:
        """Take in that a poll failed, and let another replica try, if there is one that can mail."""
        self._failed = fault.retry_after is None
        await self.reconsider()

    async def reconsider(self) -> None:
        """Let another replica poll, if the last poll failed here, and another one can mail by now."""
        if self._replicas is None or not (self._failed and self.is_ours and self._another_carries):
            return
        self._failed = False
        self._patience = ANOTHER_POLLS.longer(self._patience)
        self._is_patient_until = self._clock.monotonic() + 2 * self._patience
        self._carries(now=False)
        with suppress(LedgerFault):
            await self._replicas.give_up_polling()

    def cannot_mail(self) -> None:
        """Take in that the token, or the way to the server, is at fault."""
        self._carries(now=False)

    def poll_ended(self) -> None:
        """Take in that no poll runs any more."""
        self._late_at = float("inf")

    def report(self) -> None:
        """Log a change of the role, once."""
        if self._replicas is None or self._was_ours is self.is_ours:
            return
        self._was_ours = self.is_ours
        if self._was_ours:
            _log.info("polls", message="this sender polls the queue, for all that share the ledger")
        else:
            who = next((f"{one.host} (process {one.pid})" for one in self._replicas.known if one.polls), "nobody yet")
            _log.info("follows", polls=who, message="another sender polls the queue; this one mails its share of it")

    @property
    def _another_carries(self) -> bool:
        ours, known = (self._replicas.id, self._replicas.known) if self._replicas else (None, ())
        return any(one.said.carries and one.id != ours for one in known)

    def _stands(self) -> float | None:
        now = self._clock.monotonic()
        if now > self._late_at and self._another_carries:
            return None
        return self._patience if now < self._is_patient_until else 0.0

    def _carries(self, *, now: bool) -> None:
        if self._replicas is not None and self._replicas.said.carries is not now:
            self._replicas.describe(replace(self._replicas.said, carries=now))


def _not_at_all() -> None:
    """Stand for nothing."""
