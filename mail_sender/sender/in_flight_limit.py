"""How many mails may be in flight to one relay at once.

    when                                              how many
    no mail has come through yet                      one more each second
    usually                                           `MOST_IN_FLIGHT`
    the relay turned a connection or a mail away      one fewer than were in flight, for five minutes
    while it served others: it allows no more at a
    time

A new configuration is tried by one mail at first, so that a wrong password is not tried four times before the first
answer. If that mail hangs, it keeps the next one waiting for no more than a second.
"""

from mail_sender.sender.breaker import Permit
from mail_sender.verdict import Accepted, RelayDown, Verdict

MOST_IN_FLIGHT = 4
"""Mails in flight at once, each on a connection of its own."""
STAGGER = 1.0
"""Seconds between the starts of two mails while none has come through yet."""
LIMIT_LASTS = 300.0
"""Seconds for which a lower limit holds."""
SERVED_LATELY = 60.0
"""A relay that accepted a mail within so many seconds is one that serves us."""


class InFlightLimit:
    """The mails in flight. All times are monotonic, in seconds."""

    def __init__(self, most: int = MOST_IN_FLIGHT) -> None:
        self._most = most
        self._lowered_to = most
        self._lowered_until = float("-inf")
        self._in_flight: dict[Permit, int] = {}
        self._is_proven = False
        self._started_at: float | None = None
        self._accepted_at: float | None = None

    @property
    def in_flight(self) -> int:
        """How many mails are in flight."""
        return len(self._in_flight)

    def most(self, now: float) -> int:
        """Return how many mails may be in flight."""
        return self._lowered_to if now < self._lowered_until else self._most

    def capacity(self, now: float) -> int:
        """Return how many more mails may be in flight."""
        return max(0, self.most(now) - len(self._in_flight))

    def next_start_in(self, now: float) -> float:
        """Return the seconds until the next mail may start, as far as the start of a new relay goes."""
        if self._is_proven or not self._in_flight or self._started_at is None:
            return 0.0
        return max(0.0, self._started_at + STAGGER - now)

    def start(self, permit: Permit, now: float) -> None:
        """Count a mail in."""
        self._in_flight[permit] = len(self._in_flight) + 1
        self._started_at = now

    def end(self, permit: Permit) -> None:
        """Count a mail out; once more does no harm."""
        self._in_flight.pop(permit, None)

    def came_through(self) -> None:
        """Note that the relay takes mail from us: no start has to wait from now on."""
        self._is_proven = True

    def note(self, verdict: Verdict, now: float) -> None:
        """Note what became of a mail."""
        if isinstance(verdict, Accepted):
            self._accepted_at = now
        if not isinstance(verdict, RelayDown):
            self.came_through()

    def is_one_too_many(self, verdict: Verdict, now: float) -> bool:
        """Say whether the relay turned a connection away only because it serves enough others of ours."""
        turned_away = isinstance(verdict, RelayDown) and not verdict.lasting and verdict.stage.is_admission
        served = self._accepted_at is not None and now - self._accepted_at < SERVED_LATELY
        return turned_away and served and len(self._in_flight) > 1

    def lower(self, permit: Permit, now: float) -> bool:
        """Let fewer mails be in flight than when this one was turned away, for a while; return False if it was alone.

        A mail that started when more were in flight than may be now tells nothing new.
        """
        at_once = max(self._in_flight.get(permit, 1), len(self._in_flight))
        if at_once == 1:
            return False
        if at_once <= self.most(now):
            self._lowered_to = at_once - 1
            self._lowered_until = now + LIMIT_LASTS
        return True
