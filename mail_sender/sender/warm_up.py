"""The warm-up: how many mails a day a relay gets that does not know us yet, so that it comes to trust us."""

from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class WarmUp:
    """How many mails a day a relay gets that does not know us: `start` on the first day, then `factor` times as many.

    Without `first_day`, the first day is the one on which the relay is used with a warm-up for the first time.
    """

    start: int
    factor: float
    days: int
    first_day: date | None = None

    def most(self, day: int) -> int | None:
        """Return how many mails may go on a day, the first of which is 1; None if any number."""
        return int(self.start * self.factor ** (day - 1)) if day <= self.days else None
