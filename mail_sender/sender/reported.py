"""What was reported once and is not to be reported again; this record outlives a change of the configuration.

What the configuration has no part in is not repeated because somebody changed it.
"""

from dataclasses import dataclass, field

from mail_sender.condition import Condition
from mail_sender.message import OddEntry


@dataclass(slots=True)
class Reported:
    """The entries of the queue that cannot be read, as the last poll saw them, and whether our clock is wrong.

    `more_odd` is how many there were beyond those that are kept.
    """

    odd: frozenset[OddEntry] = frozenset()
    more_odd: int = 0
    skew: Condition = field(default_factory=lambda: Condition("clock"))
