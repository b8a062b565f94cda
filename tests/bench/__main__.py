"""`make bench`: measure, and print what came of it as Markdown. `python -m tests.bench drain` runs one queue.

`python -m tests.bench replicas` measures senders that share a ledger. With `--write` it goes into docs/performance.md, too, in
place of what was measured before.
"""

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from tests.bench import building, cases, one_queue, replicas, startup, table
from tests.bench.campaign import Campaign, sides
from tests.bench.cases import Case
from tests.bench.table import Waits

PAGE = Path(__file__).parents[2] / "docs/performance.md"
BEGIN, END = "<!-- measured -->", "<!-- end of measured -->"
BEGIN_REPLICAS, END_REPLICAS = "<!-- measured with replicas -->", "<!-- end of measured with replicas -->"
MESSAGES = 40
POLLS = 3
QUICK_MESSAGES = 10
BUILDING_TURNS = 1_000
BUILDING_MOST = 0.15
STARTS = 5


def main() -> None:
    """Run what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--turns", type=int, default=5, help="of each case; the medians count")
    parser.add_argument("--quick", action="store_true", help="one turn of a part, in under a minute: rough")
    parser.add_argument("--case", action="append", help="only the queues whose names hold this text")
    parser.add_argument("--write", action="store_true", help="put what came of it into docs/performance.md, too")
    verbs: Any = parser.add_subparsers(dest="verb")
    one_queue.add_to(verbs.add_parser("drain", help="drain one queue, by the sender and by the bare loop"))
    verbs.add_parser("replicas", help="senders on one PostgreSQL, beside one with its ledger in a file")
    given = parser.parse_args()
    if given.verb == "drain":
        one_queue.run(given)
        return
    has_replicas = given.verb == "replicas"
    text = "\n".join(table.replicas(replicas.measured(given.turns))) if has_replicas else _measured(given)
    sys.stdout.write(f"{text.strip()}\n")
    if given.write:
        marks = (BEGIN_REPLICAS, END_REPLICAS) if has_replicas else (BEGIN, END)
        PAGE.write_text(with_tables(PAGE.read_text(), text, *marks))


def with_tables(page: str, text: str, begin: str = BEGIN, end: str = END) -> str:
    """Return a page with other text between two marks."""
    before, _, rest = page.partition(begin)
    return f"{before}{begin}\n\n{text.strip()}\n\n{end}{rest.partition(end)[2]}"


def _measured(given: argparse.Namespace) -> str:
    if given.quick:
        tables = _measure([case.quick() for case in cases.CASES if case.is_quick], 1, QUICK_MESSAGES, 1)
    elif given.case:
        chosen = [case for case in cases.CASES if any(text in case.name for text in given.case)]
        tables = _measure(chosen, given.turns, 0, 0)
    else:
        tables = [*_measure(cases.CASES, given.turns, MESSAGES, POLLS), _building(), _starting()]
    return "\n".join("\n".join([*lines, ""]) for lines in tables)


def _measure(chosen: Sequence[Case], turns: int, messages: int, polls: int) -> list[Iterable[str]]:
    campaign = Campaign(chosen)
    for number in range(turns):
        campaign.turn(number)
        if messages:
            campaign.rest(messages, polls)
    tables: list[Iterable[str]] = [table.drains(campaign.figures, chosen)]
    if aims := [aim for aim in cases.AIMS if aim.case.name in {case.name for case in chosen}]:
        tables.insert(0, table.aims(campaign.figures, aims))
    if missing := [who for who in ("smtp-source", "kanidm-mail-sender") if who not in sides()]:
        tables.append([table.not_run(missing)])
    beside = f"beside {cases.BACKLOG.name}"
    waits = [
        Waits("its entry, idle relay", [one.from_entry for one in campaign.idle], {0.5: 30, 0.99: 100}),
        Waits(f"its entry, {beside}", [one.from_entry for one in campaign.beside_backlog], {0.99: 100}),
        Waits(f"the end of its list, {beside}", [one.from_list for one in campaign.beside_backlog], {0.99: 100}),
    ]
    if found := [one for one in waits if one.seconds]:
        tables.append(table.waits(found))
    if campaign.resting:
        tables.append(table.resting(campaign.resting))
    return tables


def _building() -> Iterable[str]:
    found = []
    for language in ("en", "de"):
        building.measured(language, BUILDING_TURNS // 20)  # templates are compiled, modules loaded
        found.append(building.measured(language, BUILDING_TURNS))
    return table.built(found, BUILDING_MOST)


def _starting() -> Iterable[str]:
    startup.compile_bytecode()
    return table.starting(list(startup.measured(STARTS, startup.modules())))


if __name__ == "__main__":
    main()
