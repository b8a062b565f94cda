"""A slice of every family of the fault plan; `make faults` runs all of it."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from tests.faults import setting
from tests.faults.campaign import run
from tests.faults.family import Case, Family
from tests.faults.plan import families
from tests.faults.setting import PIPELINED, USUAL, Setting
from tests.faults.tally import Breach
from tests.support.postgres import Postgres

# A connection that a case cut, or a process that it killed, is closed when asyncio gets to it, perhaps after the end.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SEED = 1
_EACH_HALF: Mapping[Setting, slice] = {USUAL: slice(0, None, 2), PIPELINED: slice(1, None, 2)}
"""Which cases of a slice are run in which setting."""
_HALVES: Mapping[str, Mapping[Setting, slice]] = {"F5": {PIPELINED: slice(None)}}
"""The same for families whose cases have to be counted in each setting first, which takes seconds."""


OF_FILES = {key: family for key, family in families().items() if family.is_for("sqlite")}
IN_A_DATABASE: Mapping[str, int] = {"F0": 2, "F6": 3, "F11": 2, "F19": 1, "F20": 4}
"""Of how many cases of which families the ledgers lie in a PostgreSQL; `make faults LEDGER=postgresql` plays all of them."""


@pytest.mark.timeout(150)
@pytest.mark.parametrize("family", OF_FILES.values(), ids=OF_FILES.keys())
def test_no_fault_of_the_slice_breaks_an_invariant(family: Family) -> None:
    """Whatever breaks, mail is neither lost nor doubled, marks are true, and no secret leaves (I1 to I13)."""
    for of, half in _HALVES.get(family.key, _EACH_HALF).items():
        with setting.using(of):
            _require_peace(family, list(family.slice(SEED))[half])


@pytest.mark.debian("postgresql")
@pytest.mark.timeout(150)
@pytest.mark.parametrize("key", IN_A_DATABASE)
def test_no_fault_breaks_an_invariant_of_a_ledger_in_a_database(key: str, postgres: Postgres) -> None:
    """Nor what is done to the database, nor a replica that is back when its lease is over."""
    family = replace(families()[key], slice_size=IN_A_DATABASE[key])
    with setting.using(Setting(server=postgres)):
        _require_peace(family, family.slice(SEED))


def _require_peace(family: Family, cases: Sequence[Case]) -> None:
    first: list[Breach] = []
    tally = asyncio.run(run(family, cases, SEED, first.append))
    assert tally.cases == len(cases)
    assert tally.checked > tally.cases
    # On a machine that stalls for seconds a deadline is met that should not be: what broke has to break alone, too.
    suspects = [case for case in cases if case.name in {breach.case for breach in first}]
    again: list[Breach] = []
    for case in suspects:
        asyncio.run(run(family, [case], SEED, again.append))
    assert not again, "\n".join(map(str, [*first, *again]))


@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_each_case_has_a_name_of_its_own(family: Family) -> None:
    """A failing case can be run alone, by its name."""
    names = [case.name for case in family.cases(SEED)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_a_seed_says_which_cases_there_are(family: Family) -> None:
    """A seed repeats a campaign."""
    assert [case.name for case in family.slice(7)] == [case.name for case in family.slice(7)]
