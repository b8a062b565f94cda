"""How many mails may be in flight to one relay at once, each on a connection of its own.

    when                                              how many
    no mail has come through yet                      one more each second, up to `START`
    then                                              `START`; whenever as many as that have come through at once,
                                                      half as many again, up to the configured number
    the relay turned a connection or a mail away      one fewer than were in flight, for five minutes; after that one
    while it served others: it allows no more at a    more, and if that comes through as well, more as above
    time
    the breaker opens                                 `START` again; what seemed to be a limit just before was none

A new configuration is tried by one mail at first, so that a wrong password is not tried four times before the first
answer. If that mail hangs, it keeps the next one waiting for no more than a second. Because the number grows by
halves, a relay that allows only a few turns few connections away before its limit is found.
"""

from mail_sender.relay.config import CONNECTIONS
from mail_sender.sender.breaker import Permit
from mail_sender.verdict import Accepted, RelayDown, Verdict

START = 4
"""Mails in flight at once to a relay of which nothing is known."""
STAGGER = 1.0
"""Seconds between the starts of two mails while none has come through yet."""
LIMIT_LASTS = 300.0
"""Seconds for which a lower limit holds."""
SERVED_LATELY = 60.0
"""A relay that took a mail within so many seconds is one that serves us."""


class InFlightLimit:
    """The mails in flight, at most `most`. All times are monotonic, in seconds."""

    def __init__(self, most: int = CONNECTIONS) -> None:
        self._most = most
        self._grown_to = min(START, most)
        self._is_limited = False
        self._lowered_to = most
        self._lowered_at = self._lowered_until = float("-inf")
        self._in_flight: dict[Permit, int] = {}
        self._is_proven = False
        self._started_at: float | None = None
        self._served_at: float | None = None

    @property
    def in_flight(self) -> int:
        """How many mails are in flight."""
        return len(self._in_flight)

    def most(self, now: float) -> int:
        """Return how many mails may be in flight."""
        return self._lowered_to if now < self._lowered_until else self._grown_to

    def bound(self, now: float) -> int:
        """Return the same for those who watch: the configured number, until the relay turns one away."""
        return self.most(now) if self._is_limited else self._most

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

    def came_through(self, permit: Permit, now: float) -> None:
        """Note that the relay takes this mail: no start has to wait from now on, and more may go at once."""
        self._is_proven = True
        at_once = self._in_flight.get(permit, 1)
        if now >= self._lowered_until and at_once >= self._grown_to:
            self._grown_to = min(self._most, at_once + max(1, at_once // 2))
            self._is_limited = self._is_limited and self._grown_to < self._most

    def reached_dot(self, permit: Permit, now: float) -> None:
        """Note that the relay waits for the end of this mail."""
        self._served_at = now
        self.came_through(permit, now)

    def note(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Note what became of a mail."""
        if isinstance(verdict, Accepted):
            self._served_at = now
        if not isinstance(verdict, RelayDown):
            self.came_through(permit, now)

    def is_one_too_many(self, verdict: Verdict, now: float) -> bool:
        """Say whether the relay turned a connection away only because it serves enough others of ours."""
        turned_away = isinstance(verdict, RelayDown) and not verdict.lasting and verdict.stage.is_admission
        served = self._served_at is not None and now - self._served_at < SERVED_LATELY
        return turned_away and served and len(self._in_flight) > 1

    def lower(self, permit: Permit, now: float) -> bool:
        """Let fewer mails be in flight than when this one was turned away, for a while; return False if it was alone.

        A mail that started when more were in flight than may be now tells nothing new.
        """
        number = self._in_flight.get(permit, 1)
        at_once = max(number, len(self._in_flight))
        if at_once == 1:
            return False
        # The relay never had this one: of those that started after it, there was one fewer.
        self._in_flight.update({other: its - 1 for other, its in self._in_flight.items() if its > number})
        if at_once <= self.most(now):
            self._lowered_to = at_once - 1
            self._lowered_at, self._lowered_until = now, now + LIMIT_LASTS
            self._grown_to = at_once
            self._is_limited = True
        return True

    def is_down(self, now: float) -> None:
        """Note that the relay takes no mail at all: what it turned away just before was no limit."""
        self._grown_to = min(START, self._most)
        if now - self._lowered_at < SERVED_LATELY:
            self._lowered_until = float("-inf")
        self._is_limited = now < self._lowered_until
