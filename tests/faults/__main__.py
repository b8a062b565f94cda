"""`python -m tests.faults`: run the fault plan, or one family or case of it, and print the table.

Exit code 0 where every invariant held, 1 where one did not, 2 for a family or case that there is none of.
"""

import argparse
import asyncio
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from tests.faults import setting, table
from tests.faults.campaign import run
from tests.faults.family import Case, Family
from tests.faults.plan import families
from tests.faults.setting import Setting
from tests.faults.shares import run_shared
from tests.faults.tally import Breach, Tally
from tests.support import postgres
from tests.support.postgres import Postgres

_ALIKE = 3
_reported: Counter[tuple[str, str, str]] = Counter()


def main() -> int:
    """Run what the command line asks for."""
    asked = _arguments()
    pipelining = asked.connections > setting.USUAL.connections
    with _server(asked.ledger) as server, setting.using(Setting(asked.connections, pipelining, server)):
        return _run_all(asked)


@contextmanager
def _server(ledger: str) -> Iterator[Postgres | None]:
    """Run a PostgreSQL for all processes of the campaign, if it is about that ledger."""
    if ledger == setting.USUAL.ledger:
        yield None
        return
    with postgres.running(**postgres.FOR_MANY) as server:
        yield server


def _run_all(asked: argparse.Namespace) -> int:
    known = families()
    keys = asked.family or [key for key, family in known.items() if family.is_for(asked.ledger)]
    if missing := [key for key in keys if key not in known]:
        return _usage(f"there is no family {missing[0]}: {' '.join(known)}")
    chosen = [known[key] for key in keys]
    if wrong := [family for family in chosen if not family.is_for(asked.ledger)]:
        return _usage(f"{wrong[0].key} is not for {asked.ledger}: {wrong[0].elsewhere}")
    work = [(family, _cases(family, asked)) for family in chosen]
    if not all(cases for _, cases in work):
        return _usage(f"there is no case {asked.case}")
    for family in known.values():
        if not family.is_for(asked.ledger) and not asked.family:
            _say(f"{family.key} ({family.title}) is not for {asked.ledger}: {family.elsewhere}")
    _say(table.head())
    tallies = [_run(family, cases, asked) for family, cases in work]
    _say(table.total(tallies))
    return 1 if any(tally.breaches for tally in tallies) else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run the fault campaign.")
    parser.add_argument("--family", action="append", metavar="F5", help="this family alone, or these")
    parser.add_argument("--seed", type=int, default=1, help="of everything that is random (1)")
    usual = setting.USUAL.connections
    parser.add_argument(
        "--connections",
        type=int,
        default=usual,
        help=f"how many the sender may open to a relay ({usual}); with more, its relays offer PIPELINING",
    )
    parser.add_argument(
        "--ledger", choices=["sqlite", "postgresql"], default="sqlite", help="where it is kept (sqlite)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes side by side (the cores)")
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
    if asked.jobs > 1 and len(cases) > 1:
        tally = run_shared(family, cases, asked.seed, _report, asked.jobs)
    else:
        tally = asyncio.run(run(family, cases, asked.seed, _report))
    if asked.case and tally.breaches:
        _say(tally.breaches[0].log)
    _say(table.line(tally))
    return tally


def _report(breach: Breach) -> None:
    """Print a breach; of those that are alike in one case, the first ones."""
    _reported[breach.family, breach.case, breach.invariant] += 1
    if _reported[breach.family, breach.case, breach.invariant] <= _ALIKE:
        _say(f"  {breach}")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def _usage(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return 2


if __name__ == "__main__":
    sys.exit(main())
