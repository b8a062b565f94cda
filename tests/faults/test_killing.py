"""The places where a sender can be killed, and the process that forks those that are."""

import signal

from tests.faults import f05
from tests.faults.killing import SIDES, Point, methods
from tests.faults.nursery import nursery

OF_THE_OPERATOR = {"ledger.deliveries", "ledger.apply_command", "ledger.summary", "ledger.unmarked"}
"""What no sender calls by itself."""


def test_every_method_of_the_protocols_is_met_by_some_scene() -> None:
    """A new method is a new place to be killed at; a scene that comes by has to be found for it."""
    met = {key for counts in f05.counted().values() for key in counts}
    wanted = {f"{method}:{side}" for method in methods() for side in SIDES}
    assert {key.rpartition(":")[0] for key in wanted - met} == OF_THE_OPERATOR


def test_the_family_has_a_case_for_each_of_these_places() -> None:
    """Nobody writes the list down, so nobody forgets to."""
    points = {Point.parse(case.name.split()[1]) for case in f05.cases(1)}
    assert {point.method for point in points} == set(methods()) - OF_THE_OPERATOR | {"loop.step"}
    assert len(f05.cases(1)) >= 500


async def test_a_life_that_cannot_be_led_says_why_and_ends_with_its_own_code() -> None:
    """A fault of the harness is not taken for a death."""
    child = nursery().bear('{"place": "{}", "journal": "/nonexistent/journal"}')
    assert await child.ended() == 70
    assert b"FileNotFoundError" in child.said


async def test_a_child_that_is_ended_too_late_or_twice_does_no_harm() -> None:
    """Signals go to children that live, and to nobody else."""
    child = nursery().bear('{"place": "{}", "journal": "/nonexistent/journal"}')
    await child.ended()
    child.end(signal.SIGKILL)
    another = nursery().bear('{"place": "{}", "journal": "/nonexistent/journal"}')
    another.end(signal.SIGKILL)
    another.end(signal.SIGKILL)
    assert await another.ended() in {70, -signal.SIGKILL}
