"""Company: how long a change waits for others, so that one commit takes them all.

A commit costs more than what is in it, and what comes meanwhile waits for its end.

1. A dot waits a millisecond if other mails have theirs still before them, and so many dots came lately that one more
   is likely to come within it. So a single mail goes at once, and so does the last dot of those that are in flight,
   and each one of a relay that is slow or far away.
2. An outcome waits a few milliseconds for the next dot, if one came as soon after the last outcome. Nobody who sends
   mail waits for it. The outcome of a single mail goes at once: none came after the one before it.
"""

DOT_WAITS = 0.001
"""Seconds for which a dot waits for others."""
CLOSE = 2 * DOT_WAITS
"""Seconds between dots, on the average of the last ones, at which one more is likely to come while a dot waits."""
_LASTING = 0.9  # of that average, how much the next dot leaves as it is
OUTCOME_WAITS = 0.01
"""Seconds for which an outcome waits for a dot; dots that are no further apart follow each other closely."""


class Company:
    """What is expected next; times are seconds of one clock, and claims have numbers of their own."""

    def __init__(self) -> None:
        self._before_dot: set[int] = set()
        self._dot_at = self._outcome_at = float("-inf")
        self._dot_followed = False
        self._between = OUTCOME_WAITS

    def begun(self, claim: int) -> None:
        """Take in that a claim was given: its dot is expected, or its outcome."""
        self._before_dot.add(claim)

    def dot(self, claim: int, at: float) -> float:
        """Return for how many seconds the dot of a claim waits."""
        self._before_dot.discard(claim)
        self._dot_followed = at - self._outcome_at < OUTCOME_WAITS
        between, self._dot_at = min(at - self._dot_at, OUTCOME_WAITS), at
        self._between = _LASTING * self._between + (1 - _LASTING) * between
        return DOT_WAITS if self._between < CLOSE and self._before_dot else 0.0

    def outcome(self, claim: int, at: float) -> float:
        """Return for how many seconds the outcome of a claim waits."""
        self._before_dot.discard(claim)
        self._outcome_at = at
        return OUTCOME_WAITS if self._dot_followed else 0.0
