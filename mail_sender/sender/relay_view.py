"""The relay gate as those who watch see it: a record that changes nothing."""

from dataclasses import dataclass
from typing import Literal

BreakerState = Literal["closed", "open", "half-open"]


@dataclass(frozen=True, slots=True)
class RelayView:
    """The breaker, how many mails may be in flight, and how many are. All times are in seconds.

    `breaker_for` is how long the breaker has been as it is, None if it never opened. `probe_in` is when the next mail
    may go as a probe, None while the breaker is closed or a probe is in flight. `between` lies between the starts of
    two mails. `carries` says that mail goes through this relay now, without a probe: through one of them at most.
    """

    breaker: BreakerState
    breaker_for: float | None
    probe_in: float | None
    most_in_flight: int
    between: float
    in_flight: int
    carries: bool = False
