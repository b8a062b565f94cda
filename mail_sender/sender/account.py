"""The account: whether its token may send mail; checked at the start, every ten minutes, and while anything is amiss.

No mail goes out under a token that could never mark it.
"""

import structlog

from mail_sender.clock import Clock
from mail_sender.sender.parts import Parts
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source import answers
from mail_sender.source.base import Standing

STANDING_LASTS = 600.0
"""Seconds for which a good standing is not checked again."""
STANDING_SECONDS = 150.0
"""Seconds within which the account's standing is known: several calls, each with its deadline."""

_log = structlog.get_logger()


class Account:
    """The account of one configuration."""

    def __init__(self, parts: Parts, snapshot: Snapshot, clock: Clock) -> None:
        self._parts = parts
        self._snapshot = snapshot
        self._clock = clock
        self._good_until = float("-inf")
        self._greeted = False

    @property
    def is_to_be_checked(self) -> bool:
        """Whether the standing is not known to be good."""
        is_good = self._snapshot.may_send and not self._parts.conditions.server.fault
        return not is_good or self._clock.monotonic() >= self._good_until

    async def check(self) -> Standing:
        """Ask the server for the standing. Raises `ServerFault` where it is not good enough, or not known."""
        standing = await self._parts.source.standing()
        if not self._greeted:
            self._greeted = True
            _log.info("server_ready", account=standing.account, may_write=standing.may_write)
            if standing.excess_groups:
                groups = ", ".join(standing.excess_groups)
                _log.warning("excess_groups", groups=groups, message=answers.EXCESS_GROUPS)
        self._good_until = self._clock.monotonic() + STANDING_LASTS
        return standing
