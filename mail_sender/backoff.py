"""A backoff: how long to leave alone what has just failed, ever longer, up to a bound."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Backoff:
    """The first wait and the longest one, in seconds."""

    first: float
    most: float

    def longer(self, wait: float = 0.0) -> float:
        """Return the wait that follows one: the first after none, then twice as long, within the bounds."""
        return min(max(wait * 2, self.first), self.most)
