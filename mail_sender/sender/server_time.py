"""The server's time against ours: what is learned of it, and said where they are far apart."""

from datetime import datetime, timedelta

from mail_sender.clock import TOLERANCE, Clock
from mail_sender.sender import skew
from mail_sender.sender.reported import Reported


class ServerTime:
    """By how much the server's time differs from ours, as far as one configuration has seen it."""

    def __init__(self, reported: Reported, clock: Clock) -> None:
        self._reported = reported
        self._clock = clock
        self._off = timedelta(0)  # at the last good answer

    def ahead(self, at: datetime | None) -> timedelta | None:
        """Return by how much a time of the server's is ahead of ours."""
        return None if at is None else at - self._clock.now()

    def is_expected(self, off: timedelta, *others: timedelta) -> bool:
        """Say whether it is about as far ahead as nothing, as it was at last, or as others were."""
        return any(abs(off - other) <= TOLERANCE for other in (timedelta(0), self._off, *others))

    def learn(self, at: datetime | None, newest: datetime | None = None) -> None:
        """Take in the server's time, and the latest `send_after` that it calls due; report what is far off once."""
        ahead, condition = self._clock.learn(at, newest), self._reported.skew
        now = self._clock.now()
        self._off = timedelta(0) if at is None else at - now
        if abs(ahead) <= skew.REPORTED:
            condition.up(now)
            return
        found = skew.described(ahead, servers_counts=abs(self._off) <= TOLERANCE)
        # Reported once, since by how much it is wrong changes all the time.
        if condition.fault is None or condition.fault.kind != found.kind:
            condition.down(found.kind, found.detail, found.advice, now)
