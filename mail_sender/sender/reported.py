"""What was reported once and is not to be reported again; this record outlives a change of the configuration.

What the configuration has no part in is not repeated because somebody changed it.
"""

from dataclasses import dataclass, field

from mail_sender.condition import Condition
from mail_sender.message import OddEntry
from mail_sender.sender.agreement import Agreement


@dataclass(slots=True)
class Reported:
    """What of the queue cannot be read, as the last poll saw it, whether our clock is wrong, how the senders differ.

    `odd` are entries of the queue; `more_odd` is how many there were beyond those that are kept.
    """

    odd: frozenset[OddEntry] = frozenset()
    more_odd: int = 0
    skew: Condition = field(default_factory=lambda: Condition("clock"))
    agreement: Agreement = field(default_factory=Agreement)
