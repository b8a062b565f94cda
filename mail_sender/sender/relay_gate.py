"""The relay gate: whether one more mail may go to the relay now, and what the end of each mail means for the others.

It asks three parts, each with its table:

    sender.own_fault         whose fault it is that a mail was refused or cut off
    sender.breaker           whether mails go, wait, or one goes as a probe: closed, open, half-open
    sender.in_flight_limit   how many mails are in flight at once

A mail is judged by all three: first whose fault its end is, then whether the relay has only turned down one
connection too many, and if not, what follows for the breaker.
"""

from mail_sender.ledger.base import Key
from mail_sender.sender.breaker import Breaker, Permit
from mail_sender.sender.in_flight_limit import MOST_IN_FLIGHT, InFlightLimit
from mail_sender.sender.own_fault import Suspicions
from mail_sender.verdict import Verdict

__all__ = ["Permit", "RelayGate"]


class RelayGate:
    """The gate of one relay, for at most `most` mails at once. All times are monotonic, in seconds.

    Each permit from `acquire` ends with `judge` or `release`; both is fine.
    """

    def __init__(self, most: int = MOST_IN_FLIGHT) -> None:
        self._breaker = Breaker()
        self._limit = InFlightLimit(most)
        self._suspicions = Suspicions()

    @property
    def is_closed(self) -> bool:
        """Whether mails go without waiting for a probe."""
        return self._breaker.is_closed

    @property
    def in_doubt(self) -> bool:
        """Whether a mail to another domain may probe before its turn."""
        return self._breaker.in_doubt

    def capacity(self, now: float) -> int:
        """Return how many more mails may be in flight."""
        return self._limit.capacity(now)

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until `acquire` may succeed again, or None while a probe is in flight."""
        return self._limit.next_start_in(now) if self.is_closed else self._breaker.retry_in(now)

    def probe_now(self) -> None:
        """Let the next mail go as a probe, whatever the wait."""
        self._breaker.probe_now()

    def acquire(self, key: Key, now: float) -> Permit | None:
        """Return the permission to send a mail, or None if it has to wait."""
        if self.is_closed and self._limit.next_start_in(now) > 0:
            return None
        permit = self._breaker.acquire(key, now)
        if permit is not None:
            self._limit.start(permit, now)
        return permit

    def reached_dot(self, permit: Permit, now: float) -> None:
        """Take in that all but the final dot went through: a slow reply to it keeps no other mail waiting."""
        self._limit.came_through()
        self._breaker.reached_dot(permit, now)

    def release(self, permit: Permit) -> None:
        """Give a permission back."""
        self._limit.end(permit)
        self._breaker.release(permit)

    def judge(self, permit: Permit, verdict: Verdict, now: float) -> Verdict:
        """Take in a mail's verdict, and return the one that counts: `RelayDown` for what may be our own fault."""
        judged = self._suspicions.judge(permit.key, verdict, now)
        if judged is not verdict:
            self._breaker.suspect()
        self._limit.note(judged, now)
        if self.is_closed and self._breaker.counts(permit) and self._limit.is_one_too_many(judged, now):
            self._limit.lower(now)
        else:
            self._breaker.judge(permit, judged, now, several_cut=self._suspicions.several_cut)
        self._limit.end(permit)
        return judged
