"""How fast mails go to one relay: the time between the starts of two, learned from what the relay takes.

    when                                           the time between two starts
    usually                                        none
    the relay wanted one mail more slowly, while   twice as long, from `PACE.first` to `PACE.most`
    no other was in flight
    the relay accepted eight mails in a row        a fifth less, but for a while not again what was too fast
    the relay wanted nothing slower for a while    half as long each minute, until there is none

A relay that names a short time is left alone for that long.
"""

from mail_sender.backoff import PACE

FASTER_AFTER = 8
"""Mails accepted in a row before the time between two becomes shorter."""
TOO_FAST_LASTS = 900.0
"""Seconds for which a pace that was too fast is not tried again: longer than the longest wait for a probe."""
HALVED_EVERY = 60.0
"""Seconds after which the time between two mails is half as long, when it was slow enough for a while."""
_SHORTER = 0.8
_CAUTION = 1.1


class Pace:
    """The pace towards one relay. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._between = 0.0
        self._next_at = float("-inf")
        self._too_fast = 0.0
        self._too_fast_until = float("-inf")
        self._accepted = 0

    def between(self, now: float) -> float:
        """Return the seconds between the starts of two mails."""
        halved = max(0.0, now - self._too_fast_until) // HALVED_EVERY
        return _or_none(self._between / 2 ** min(halved, 100.0))

    def is_slowest(self, now: float) -> bool:
        """Say whether the time between two mails cannot become longer."""
        return self.between(now) >= PACE.most

    def next_start_in(self, now: float) -> float:
        """Return the seconds until the next mail may start."""
        return max(0.0, self._next_at - now)

    def started(self, now: float) -> None:
        """Count a mail in."""
        self._next_at = max(self._next_at, now + self.between(now))

    def slower(self, now: float) -> None:
        """Take in that the relay wants mail more slowly than it came."""
        self._too_fast = self.between(now)
        self._between = PACE.longer(self._too_fast)
        self._too_fast_until = now + TOO_FAST_LASTS
        self._accepted = 0
        self.pause(now, self._between)

    def pause(self, now: float, seconds: float) -> None:
        """Start no mail for so many seconds."""
        self._next_at = max(self._next_at, now + seconds)

    def end_pause(self) -> None:
        """Let the next mail start at once."""
        self._next_at = float("-inf")

    def faster(self, now: float) -> None:
        """Take in that the relay accepted a mail."""
        self._accepted += 1
        if not self._between or self._accepted < FASTER_AFTER:
            return
        self._accepted = 0
        least = self._too_fast * _CAUTION if now < self._too_fast_until else 0.0
        self._between = _or_none(max(self._between * _SHORTER, least))


def _or_none(between: float) -> float:
    """Return no time at all for one that no relay would notice."""
    return between if between >= PACE.first / 2 else 0.0
