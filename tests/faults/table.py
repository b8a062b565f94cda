"""The table that a campaign prints: one line for each family, and one for all."""

from collections.abc import Sequence

from tests.faults.tally import Tally

_HEAD = ("family", "cases", "lost", "copies", "cuts", "leaks", "checked", "seconds", "seed", "verdict")
_LINE = "{:<8}{:>7}{:>6}{:>8}{:>6}{:>7}{:>9}{:>9}{:>6}  {}"


def head() -> str:
    """Return the line above the table; `cuts` are those between a dot and its reply, which alone excuse copies."""
    return _LINE.format(*_HEAD)


def line(tally: Tally) -> str:
    """Return a family's line."""
    return _row(tally.family, str(tally.seed), [tally])


def total(tallies: Sequence[Tally]) -> str:
    """Return the last line."""
    return _row("all", "", tallies)


def _row(name: str, seed: str, tallies: Sequence[Tally]) -> str:
    broken = sum(len(tally.breaches) for tally in tallies)
    return _LINE.format(
        name,
        sum(tally.cases for tally in tallies),
        sum(tally.count("I1") for tally in tallies),
        sum(tally.copies for tally in tallies),
        sum(tally.cuts for tally in tallies),
        sum(tally.count("I7") for tally in tallies),
        sum(tally.checked for tally in tallies),
        f"{sum(tally.seconds for tally in tallies):.1f}",
        seed,
        f"FAILED ({broken})" if broken else "good",
    )
