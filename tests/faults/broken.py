"""One case alone, for the tests of the campaign itself: which invariants it breaks."""

import asyncio

from tests.faults.campaign import run
from tests.faults.family import Case, Family, Play
from tests.faults.tally import Breach


def broken_by(play: Play, *, exactly_once: bool = False) -> dict[str, str]:
    """Run one case, and return the invariants that do not hold after it, with the facts."""
    breaches: list[Breach] = []
    case = Case("sabotaged", play, exactly_once=exactly_once)
    asyncio.run(run(Family("F0", "sabotage", lambda _: [case]), [case], 1, breaches.append))
    return {breach.invariant: breach.facts for breach in breaches}
