"""A slice of every family of the fault plan; `make faults` runs all of it."""

import asyncio

import pytest

from tests.faults.campaign import run
from tests.faults.family import Family
from tests.faults.plan import families
from tests.faults.tally import Breach

# A connection that a case cut, or a process that it killed, is closed when asyncio gets to it, perhaps after the end.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SEED = 1


@pytest.mark.timeout(150)
@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_no_fault_of_the_slice_breaks_an_invariant(family: Family) -> None:
    """Whatever breaks, mail is neither lost nor doubled, marks are true, and no secret leaves (I1 to I13)."""
    cases = family.slice(SEED)
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
