"""Which kinds of message have a label of their own in metrics: bounded, whatever the identity server lists."""

from mail_sender.templating.kinds import KINDS

OTHER = "other"
MOST_UNKNOWN = 8
"""How many kinds that this version does not know get their own label; all further ones are `other`."""


class KindLabels:
    """The labels: the known kinds, and the first few unknown ones that were seen."""

    def __init__(self) -> None:
        self.labels = [*KINDS, OTHER]

    def of(self, kind: str) -> str:
        """Return the label of a kind."""
        if kind in self.labels:
            return kind
        if len(self.labels) > len(KINDS) + MOST_UNKNOWN:
            return OTHER
        self.labels.append(kind)
        return kind
