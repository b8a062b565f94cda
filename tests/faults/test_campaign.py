"""A slice of every family of the fault plan; `make faults` runs all of it."""

import asyncio

import pytest

from tests.faults.campaign import run
from tests.faults.family import Family
from tests.faults.plan import families
from tests.faults.tally import Breach

SEED = 1


@pytest.mark.timeout(150)
@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_no_fault_of_the_slice_breaks_an_invariant(family: Family) -> None:
    """Whatever breaks, mail is neither lost nor doubled, marks are true, and no secret leaves (I1 to I12)."""
    cases = family.slice(SEED)
    breaches: list[Breach] = []
    tally = asyncio.run(run(family, cases, SEED, breaches.append))
    assert not breaches, "\n".join(map(str, breaches))
    assert tally.cases == len(cases)
    assert tally.checked > tally.cases


@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_each_case_has_a_name_of_its_own(family: Family) -> None:
    """A failing case can be run alone, by its name."""
    names = [case.name for case in family.cases(SEED)]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("family", families().values(), ids=families().keys())
def test_a_seed_says_which_cases_there_are(family: Family) -> None:
    """A seed repeats a campaign."""
    assert [case.name for case in family.slice(7)] == [case.name for case in family.slice(7)]
