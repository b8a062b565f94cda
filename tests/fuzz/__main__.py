"""`python -m tests.fuzz`: try inputs at random, print how they ended, and keep those that failed.

Exit code 0 where all ended clearly, 1 where one did not, or where an end that must come did not; 2 for wrong usage.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from time import monotonic

from tests.fuzz.plan import COUNTS, TARGETS
from tests.fuzz.report import kept, show, write_line
from tests.fuzz.target import Tally, Target, search, tried


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    if asked.replay:
        name, case = kept(asked.replay)
        write_line(tried(TARGETS[name], case))
        return 0
    chosen = [TARGETS[asked.target]] if asked.target else list(TARGETS.values())
    return max([_run(target, asked.count or COUNTS[target.name], asked.seed) for target in chosen])


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Fuzz what people and networks can say."
    )
    parser.add_argument("--target", choices=TARGETS, help="this one alone")
    parser.add_argument("--count", type=int, metavar="N", help="so many cases of each, in place of the usual number")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is random (1)")
    parser.add_argument("--replay", type=Path, metavar="FILE", help="try one case again that was kept")
    return parser.parse_args()


def _run(target: Target, count: int, seed: int) -> int:
    began = monotonic()
    tally = search(target, count, seed)
    write_line(f"{target.name}: {tally.total} cases in {monotonic() - began:.0f} s, seed {seed}")
    for end, number in tally.ended.most_common():
        write_line(f"  {number:6} {end}")
    for number, finding in enumerate(tally.findings.values(), 1):
        show(target, finding, f"{seed}-{number}")
    return 1 if tally.findings or _missing(target, tally) else 0


def _missing(target: Target, tally: Tally) -> Sequence[str]:
    """Return the ends that a search of the usual length must see: without them it has looked at nothing."""
    missing = sorted(target.ends - tally.ended.keys()) if tally.total >= COUNTS[target.name] else []
    for end in missing:
        write_line(f"  no case ended as: {end}")
    return missing


if __name__ == "__main__":
    sys.exit(main())
