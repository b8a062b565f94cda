"""The relay gate: whether one more mail may go to the relay now, and what the end of each mail means for the others.

It asks these parts, each with its table:

    sender.own_fault         whose fault it is that a mail was refused or cut off
    sender.breaker           whether mails go, wait, or one goes as a probe: closed, open, half-open
    sender.in_flight_limit   how many mails are in flight at once
    sender.pace              how much time lies between the starts of two mails
    sender.shared_breaker    what other senders know of the relay, where several share a ledger

A mail is judged by all of them: first whose fault its end is, then whether the relay only wants fewer mails at a
time, or more slowly, and if not, what follows for the breaker. A relay for which the slowest pace is too fast, or
that names a longer time, takes no mail now: then the breaker opens.
"""

from mail_sender.backoff import PACE
from mail_sender.ledger.base import Key
from mail_sender.ledger.outages import Heard, Report
from mail_sender.relay.config import CONNECTIONS
from mail_sender.relay.refusals import asked_wait, relay_down
from mail_sender.sender.breaker import Breaker, Permit
from mail_sender.sender.in_flight_limit import InFlightLimit
from mail_sender.sender.own_fault import Suspicions
from mail_sender.sender.pace import Pace
from mail_sender.sender.relay_view import RelayView
from mail_sender.sender.shared_breaker import SharedBreaker
from mail_sender.verdict import Accepted, Blame, RelayDown, Throttled, Verdict

__all__ = ["Permit", "RelayGate"]


class RelayGate:
    """The gate of one relay, for at most `most` mails at once. All times are monotonic, in seconds.

    `name` is what the relay is called among senders that share a ledger; None where none does. Each permit from
    `acquire` ends with `judge` or `release`; both is fine.
    """

    def __init__(self, most: int = CONNECTIONS, name: str | None = None) -> None:
        self._shared = None if name is None else SharedBreaker(name)
        self._breaker = Breaker()
        self._limit = InFlightLimit(most)
        self._pace = Pace()
        self._suspicions = Suspicions()

    @property
    def is_closed(self) -> bool:
        """Whether mails go without waiting for a probe."""
        return self._breaker.is_closed

    @property
    def in_doubt(self) -> bool:
        """Whether a mail to another domain may probe before its turn."""
        return self._breaker.in_doubt

    @property
    def has_failed_probe(self) -> bool:
        """Whether the breaker is open, and not only until a first probe that goes at once."""
        return self._breaker.has_failed_probe

    def down_for(self, now: float) -> float | None:
        """Return for how long the breaker has been open or half-open, in seconds; None while it is closed."""
        return None if self.is_closed else self._breaker.lasts(now)

    def pace(self, now: float) -> tuple[int, float]:
        """Return how many mails may be in flight at once, and the seconds between the starts of two."""
        return self._limit.bound(now), self._pace.between(now)

    def view(self, now: float) -> RelayView:
        """Return what those who watch see of it."""
        return RelayView(
            breaker=self._breaker.state,
            breaker_for=self._breaker.lasts(now),
            probe_in=None if self.is_closed else self.retry_in(now),
            most_in_flight=self._limit.bound(now),
            between=self._pace.between(now),
            in_flight=self._limit.in_flight,
        )

    def capacity(self, now: float) -> int:
        """Return how many more mails may be in flight."""
        return self._limit.capacity(now)

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until `acquire` may succeed again, or None while a probe is in flight."""
        start_in = self._start_in(now)
        probe_in = self._breaker.retry_in(now)
        if probe_in == 0 and self._shared is not None:
            probe_in = self._shared.asks_again_in(now)
        return None if probe_in is None else max(start_in, probe_in)

    @property
    def asks(self) -> bool:
        """Whether a mail waits for the permission of the senders together."""
        return self._shared is not None and self._shared.asks

    def report(self, now: float, *, at_end: bool = False) -> Report | None:
        """Return what to exchange with other senders now; None if nothing."""
        return None if self._shared is None else self._shared.report(now, at_end=at_end)

    def hear(self, heard: Heard, now: float) -> bool:
        """Take in how the relay stands for all; say whether it is up or down now by another sender's word."""
        if self._shared is None:
            return False
        was_closed, was_open_for_all, was_proven = self.is_closed, self._shared.is_open, self._shared.is_proven(now)
        if self._shared.hear(heard, now):
            if heard.outage is not None:
                self._breaker.open_for(heard.outage.wait, heard.outage.retry_in, now)
            elif was_open_for_all:
                self._breaker.close(now)
        if heard.may_try:
            self._breaker.probe_now()
        if was_closed and not self.is_closed:
            self._limit.is_down(now)
        is_news = self._shared.is_proven(now) and not was_proven and self._breaker.lasts(now) is None
        return was_closed is not self.is_closed or is_news

    def probe_now(self) -> None:
        """Let the next mail go, as a probe if the breaker is open, whatever the wait."""
        if self._shared is not None:
            self._shared.probe_now()
        self._breaker.probe_now()
        self._pace.end_pause()

    def acquire(self, key: Key, now: float) -> Permit | None:
        """Return the permission to send a mail, or None if it has to wait."""
        if self._start_in(now) > 0 or not self._breaker.lets_go(key, now):
            return None
        if self._shared is not None and not self._shared.lets_go(now):
            self._shared.ask(now)
            return None
        permit = self._breaker.acquire(key, now)
        if permit is not None:
            self._limit.start(permit, now)
            self._pace.started(now)
            if self._shared is not None:
                self._shared.started(permit)
        return permit

    def reached_dot(self, permit: Permit, now: float) -> None:
        """Take in that all but the final dot went through: a slow reply to it keeps no other mail waiting."""
        self._limit.reached_dot(permit, now)
        self._breaker.reached_dot(permit, now)
        if self._shared is not None:
            self._shared.reached_dot(permit, self._breaker.wait, now)

    def release(self, permit: Permit) -> None:
        """Give a permission back."""
        if self._shared is not None:
            self._shared.gives_back(permit)
        self._limit.end(permit)
        self._breaker.release(permit)

    def judge(self, permit: Permit, verdict: Verdict, now: float) -> Verdict:
        """Take in a mail's verdict, and return the one that counts: another one where the mail is not to blame."""
        judged = self._suspicions.judge(permit.key, verdict, now)
        if isinstance(judged, Throttled) and judged.is_own:  # it says nothing about other mail
            self.release(permit)
            return judged
        if isinstance(judged, Throttled):
            judged = self._slow_down(permit, judged, now)
        elif isinstance(judged, RelayDown) and judged is not verdict:
            self._breaker.suspect()
        elif isinstance(judged, Accepted):
            self._pace.faster(now)
        self._limit.note(permit, judged, now)
        if self.is_closed and self._breaker.counts(permit) and self._limit.is_one_too_many(judged, now):
            self._limit.lower(permit, now)
        else:
            self._judge_relay(permit, judged, now)
        self.release(permit)
        return judged

    def _judge_relay(self, permit: Permit, judged: Verdict, now: float) -> None:
        was_closed, counts = self.is_closed, self._breaker.counts(permit)
        self._breaker.judge(permit, judged, now, several_cut=self._suspicions.several_cut)
        if was_closed and not self.is_closed:
            self._limit.is_down(now)
        if self._shared is not None and counts:
            self._share(self._shared, permit, judged, now)

    def _share(self, shared: SharedBreaker, permit: Permit, judged: Verdict, now: float) -> None:
        if not isinstance(judged, RelayDown):
            if self.is_closed:
                shared.works(now)
        elif not self.is_closed:
            shared.failed(permit, judged, self._breaker.wait, self._breaker.retry_in(now) or 0.0, now)

    def _start_in(self, now: float) -> float:
        of_new_relay = self._limit.next_start_in(now) if self.is_closed else 0.0
        return max(of_new_relay, self._pace.next_start_in(now))

    def _slow_down(self, permit: Permit, throttled: Throttled, now: float) -> Verdict:
        """Send fewer mails at a time, or more slowly; return `RelayDown` where that is not slow enough."""
        reply, asked = throttled.reply, asked_wait(throttled.reply).total_seconds()
        takes_none = asked > PACE.most
        if not self._limit.lower(permit, now):
            takes_none = takes_none or self._pace.is_slowest(now)
            self._pace.slower(now)
        if takes_none:
            return relay_down(throttled.stage, reply, Blame.PACE)
        self._pace.pause(now, asked)
        return throttled
