"""F13: slow relays: the dot is answered at 0.9, 1.1 and 3 times its deadline; a reply comes octet by octet.

A reply within the deadline is no accident. One after it is: the mail may be there, and goes once more at most.
"""

from collections.abc import Sequence

from tests.faults.family import Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import HEALTHY, Behaviour, Step

DEADLINE = 4.0
TRICKLE = 1.0
"""Seconds between two octets: a quarter of the deadline, so that none of them alone is late."""


def cases(_seed: int) -> Sequence[Case]:
    """Return the twelve."""
    late = [
        Case(f"dot at {times} x deadline, {mails} in a row", _Slow(_late(times), mails), DEADLINE, times < 1)
        for times in (0.9, 1.1, 3.0)
        for mails in (1, 2)
    ]
    steps = (Step.BANNER, Step.EHLO, Step.AUTH, Step.RCPT, Step.DATA, Step.DOT)
    return [
        *late,
        *(Case(f"{step} by the octet", _Slow(_trickle(step), 1), DEADLINE, step is not Step.DOT) for step in steps),
    ]


def _late(times: float) -> Behaviour:
    return Behaviour(delays={Step.DOT: times * DEADLINE})


def _trickle(step: Step) -> Behaviour:
    return Behaviour(trickle={step: TRICKLE})


class _Slow:
    """The play of a slow relay, on as many connections as there are mails."""

    def __init__(self, behaviour: Behaviour, mails: int) -> None:
        self._behaviour = behaviour
        self._mails = mails

    async def __call__(self, rig: Rig) -> None:
        rig.relay.behave = lambda number: self._behaviour if number <= self._mails else HEALTHY
        for _ in range(self._mails):
            rig.mail()
        await rig.start()
        await rig.drained()


FAMILY = Family("F13", "slow relays", cases, slice_size=12, together=12)
