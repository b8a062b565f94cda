"""`python -m tests.faults`: run the fault plan, or one family or case of it, and print the table.

Exit code 0 where every invariant held, 1 where one did not, 2 for a family or case that there is none of.
"""

import argparse
import asyncio
import sys
from dataclasses import replace

from tests.faults import table
from tests.faults.campaign import run
from tests.faults.family import Case, Family
from tests.faults.plan import families
from tests.faults.tally import Breach, Tally


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    known = families()
    keys = asked.family or list(known)
    if missing := [key for key in keys if key not in known]:
        return _usage(f"there is no family {missing[0]}: {' '.join(known)}")
    chosen = [known[key] for key in keys]
    work = [(family, _cases(family, asked)) for family in chosen]
    if not all(cases for _, cases in work):
        return _usage(f"there is no case {asked.case}")
    _say(table.head())
    tallies = [_run(family, cases, asked) for family, cases in work]
    _say(table.total(tallies))
    return 1 if any(tally.breaches for tally in tallies) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run the fault campaign.")
    parser.add_argument("--family", action="append", metavar="F5", help="this family alone, or these")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is random (1)")
    parser.add_argument("--case", help="this case alone; where it fails, with its log")
    parser.add_argument(
        "--slice",
        type=int,
        nargs="?",
        const=-1,
        metavar="CASES",
        help="the few cases that make test runs, or so many",
    )
    return parser.parse_args()


def _cases(family: Family, asked: argparse.Namespace) -> list[Case]:
    sliced = replace(family, slice_size=asked.slice) if (asked.slice or 0) > 0 else family
    cases = sliced.slice(asked.seed) if asked.slice else family.cases(asked.seed)
    return [case for case in cases if asked.case in {None, case.name}]


def _run(family: Family, cases: list[Case], asked: argparse.Namespace) -> Tally:
    tally = asyncio.run(run(family, cases, asked.seed, _report))
    if asked.case and tally.breaches:
        _say(tally.breaches[0].log)
    _say(table.line(tally))
    return tally


def _report(breach: Breach) -> None:
    _say(f"  {breach}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _usage(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
