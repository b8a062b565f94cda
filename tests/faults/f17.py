"""F17: a second relay stands by while the first one is cut, killed at, or down: no mail goes to both (I13).

One relay is cut near the end of a mail, or the sender is killed there; then the first relay is down for a while, so
that the second one carries what is free to go there. What may have arrived waits for the relay that may have it.
"""

from collections.abc import Sequence
from dataclasses import replace

from tests.faults import f02
from tests.faults.family import PATIENT, Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import HEALTHY, Behave, Behaviour, Step
from tests.faults.rig_wire import Cut, How

MAILS = 4
NEAR = range(-6, 4)
HOW = (How.FIN, How.RST)
BUSY = Behaviour(replies={Step.BANNER: b"421 4.3.2 busy\r\n"})
DOWN = 12
"""Connections that the first relay turns away: probes of several minutes, so that a second copy is due meanwhile."""


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each octet near the dot, in both directions, at either relay; and the kills."""
    up, down = f02.measured()
    cuts = [
        *(Cut("up", up - len("QUIT\r\n") + near, how) for near in NEAR for how in HOW),
        *(Cut("down", down - f02.FAREWELL + near, how) for near in NEAR for how in HOW),
    ]
    return [
        *(Case(f"the first relay, {cut}", Cutting(cut), PATIENT) for cut in cuts),
        *(Case(f"the second relay, {cut}", Cutting(cut, at_second=True), PATIENT) for cut in cuts),
        Case("killed at the first relay's dot", _Killed(), PATIENT, always=True),
        Case("killed at the second relay's dot", _Killed(at_second=True), PATIENT, always=True),
    ]


def _after(behaviour: Behaviour) -> Behave:
    """Return what treats the first connection so, turns the next ones away, and treats all others well."""
    return lambda number: behaviour if number == 1 else BUSY if number <= DOWN else HEALTHY


class Cutting:
    """The play of one cut, on the first connection that a relay takes; the first relay is down otherwise."""

    def __init__(self, cut: Cut, *, at_second: bool = False) -> None:
        self._behaviour = Behaviour(cut=cut)
        self._at_second = at_second

    async def __call__(self, rig: Rig) -> None:
        await self.begin(rig)
        await rig.drained()

    async def begin(self, rig: Rig) -> None:
        """Break one relay, and start."""
        second = await rig.stand_by()
        rig.relay.behave = _after(BUSY if self._at_second else self._behaviour)
        if self._at_second:
            second.behave = lambda number: self._behaviour if number == 1 else HEALTHY
        for _ in range(MAILS):
            rig.mail()
        rig.queued = [replace(queued, may_fail=True) for queued in rig.queued]  # a probe may be cut, too
        await rig.start()


class _Killed(Cutting):
    """The play of a sender that is killed at a dot."""

    def __init__(self, *, at_second: bool = False) -> None:
        super().__init__(Cut("up", 10**9, How.FIN), at_second=at_second)
        self._behaviour = Behaviour(delays={Step.DOT: PATIENT / 2})

    async def __call__(self, rig: Rig) -> None:
        await self.begin(rig)

        async def is_at_the_dot() -> bool:
            return any(row.delivery.dot for row in await rig.rows())

        assert await rig.changes.until_seen(is_at_the_dot)
        await rig.crash()
        await rig.start()
        await rig.drained()


FAMILY = Family("F17", "a second relay", cases, slice_size=6, together=8)
