"""F2: the conversation is cut at every octet of plain text, in both directions, by FIN, RST and silence.

How many octets there are is measured on a conversation without a cut, so that a longer mail makes more cases.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from tests.faults import setting
from tests.faults.campaign import ground
from tests.faults.family import PATIENT, Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, first
from tests.faults.rig_session import GOODBYE
from tests.faults.rig_wire import Cut, How
from tests.faults.setting import Setting

STALL_SECONDS = 2.0
FAREWELL = len(f"{GOODBYE}\r\n")


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each octet, direction and way; at the dot, two times on end as well."""
    up, down = measured()
    cuts = [Cut("up", after, how) for how in How for after in range(up + 1)]
    cuts += [Cut("down", after, how) for how in How for after in range(down + 1)]
    dots = [cut for cut in cuts if _is_near_the_dot(cut, up, down)]
    return [
        *(_case(str(cut), cut, 1, always=cut in dots) for cut in cuts),
        *(_case(f"{cut} twice", cut, 2, always=False) for cut in dots),
    ]


def _case(name: str, cut: Cut, connections: int, *, always: bool) -> Case:
    seconds = STALL_SECONDS if cut.how is How.STALL else PATIENT
    return Case(name, _Cut(cut, connections), seconds, always=always)


def _is_near_the_dot(cut: Cut, up: int, down: int) -> bool:
    """Say whether a cut is at most three octets from where dot or reply end; the farewell comes after that."""
    end = up - len("QUIT\r\n") if cut.direction == "up" else down - FAREWELL
    return abs(end - cut.after) <= 3


class _Cut:
    """The play of one cut, on the first connections."""

    def __init__(self, cut: Cut, connections: int) -> None:
        self._cut = cut
        self._connections = connections

    async def __call__(self, rig: Rig) -> None:
        rig.relay.behave = first(Behaviour(cut=self._cut), self._connections)
        queued = rig.mail()
        rig.queued = [replace(queued, may_fail=self._connections > 1)]
        await rig.start()
        await rig.drained()


def measured() -> tuple[int, int]:
    """Return the octets that a whole conversation has, up and down, the farewell included."""
    return _measured_in(setting.current())


@cache
def _measured_in(of: Setting) -> tuple[int, int]:
    with setting.using(of):
        return asyncio.run(_measure())


async def _measure() -> tuple[int, int]:
    async with ground() as shared, shared.rig("measure", 0) as rig:
        rig.mail()
        await rig.start()
        await rig.drained()
        await rig.stop()
        (connection,) = rig.relay.connections
        assert await rig.changes.until(lambda: connection.ended is not None)
        return connection.up, connection.down


FAMILY = Family("F2", "cut at every octet", cases, slice_size=60, together=12)
