"""What came of a family: its counts, and each invariant that was broken."""

from dataclasses import dataclass, field

from tests.faults.setting import USUAL


@dataclass(frozen=True)
class Breach:
    """One invariant that does not hold after a case: enough to run that case alone."""

    family: str
    case: str
    seed: int
    invariant: str
    facts: str
    log: str = field(default="", repr=False)
    connections: int = USUAL.connections
    ledger: str = USUAL.ledger

    def __str__(self) -> str:
        """Give the line of the report, and how to repeat it."""
        how = "" if self.connections == USUAL.connections else f" --connections {self.connections}"
        how += "" if self.ledger == USUAL.ledger else f" --ledger {self.ledger}"
        again = f"python -m tests.faults --family {self.family} --seed {self.seed}{how} --case '{self.case}'"
        return f"{self.family} {self.case} seed={self.seed} {self.invariant}: {self.facts}  [{again}]"


@dataclass
class Tally:
    """What came of a family: `copies` are mails beyond the first, `cuts` the cuts at the dot that excuse them."""

    family: str
    seed: int
    cases: int = 0
    checked: int = 0
    copies: int = 0
    cuts: int = 0
    seconds: float = 0.0
    breaches: list[Breach] = field(default_factory=list)

    def add(self, share: "Tally") -> None:
        """Take in what came of a share of the cases."""
        self.cases += share.cases
        self.checked += share.checked
        self.copies += share.copies
        self.cuts += share.cuts
        self.breaches += share.breaches

    def count(self, invariant: str) -> int:
        """Return how often an invariant was broken."""
        return sum(breach.invariant == invariant for breach in self.breaches)
