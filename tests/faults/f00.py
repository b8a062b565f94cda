"""F0: everything at once, at random: what no plan has thought of.

As many messages as there may be connections, with up to three recipients each, some of them for the same people, meet a
few more connections that are cut, slow, odd or fine, a server in and out of failure, and up to two kills. Then all is
mended, and all invariants hold as ever.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from random import Random

from server_stub.misbehaviour.exchange import lose_answer, reset, status, truncate
from tests.faults import f01, f02, setting
from tests.faults.family import Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import HEALTHY, Behaviour, Step
from tests.faults.rig_wire import Cut, How

CASES = 300
DEADLINE = 2.0
_MORE_THAN_AT_ONCE = 4
"""So many more connections are odd than there may be at once; a breaker tries them one after the other, for seconds each."""
_SHARED = 0.2
"""How many of the recipients are one of a few for whom there are several messages."""
_ABOUT_THE_DOT = 45
"""Octets: the reply to a dot, and a few before it."""
_LATE = (0.3, 1.0, 1.5, 2.5, 3.0)
"""Seconds before that reply; none so close to the deadline that both could win."""
_SERVER_FAULTS = (status(500), status(503), status(503, retry_after="2"), reset, lose_answer, truncate(40))
_PATHS = ("_sent", "_ready", "/scim/v1/Message/", "/v1/self")


def cases(_seed: int) -> Sequence[Case]:
    """Return the cases; what happens in each, its dice say."""
    play = partial(_everything, size=f02.measured())
    return [Case(f"{number}", play, DEADLINE) for number in range(CASES)]


Size = tuple[int, int]
"""The octets of a conversation, up and down."""


async def _everything(rig: Rig, size: Size) -> None:
    dice = rig.random
    at_once = rig.place.connections
    behaviours = [_behaviour(dice, size) for _ in range(_MORE_THAN_AT_ONCE + at_once)]
    rig.relay.behave = lambda number: behaviours[number - 1] if number <= len(behaviours) else HEALTHY
    for number in range(dice.randint(1, at_once)):
        recipients = [_recipient(dice, number, one) for one in range(dice.choice((1, 1, 1, 2, 3)))]
        rig.mail(*recipients, reset=dice.random() < 0.3)
    # An odd reply may be a no for good, and two cuts at the dot are one too many.
    rig.queued = [replace(queued, may_fail=True) for queued in rig.queued]
    for _ in range(dice.randint(0, 3)):
        rig.api.fault(dice.choice(_SERVER_FAULTS), path=dice.choice(_PATHS), times=dice.randint(1, 3))
    await rig.start()
    for _ in range(dice.choice((0, 0, 1, 2))):
        await rig.clock.wait(asyncio.Event(), dice.uniform(0, 600))
        await rig.crash()
        await rig.start()
    await rig.drained()


def _recipient(dice: Random, message: int, number: int) -> str:
    who = f"shared-{number}" if dice.random() < _SHARED else f"person-{message}-{number}"
    return f"{who}@example.com"


def _behaviour(dice: Random, size: Size) -> Behaviour:
    cut, cut_at_the_dot = partial(_cut, size=size), partial(_cut_at_the_dot, size=size)
    kinds = (cut, cut, cut, cut_at_the_dot, cut_at_the_dot, _odd, _odd, _short, _late, _fine)
    chosen = dice.choice(kinds)(dice)
    # Of the dice of a relay without PIPELINING, nothing is taken.
    return replace(chosen, grouped=dice.random() < 0.5) if setting.current().pipelining else chosen


def _cut(dice: Random, size: Size) -> Behaviour:
    up, down = size
    cut = dice.choice((partial(Cut, "up", dice.randrange(up)), partial(Cut, "down", dice.randrange(down))))
    return Behaviour(cut=cut(dice.choice(list(How))))


def _cut_at_the_dot(dice: Random, size: Size) -> Behaviour:
    end = size[1] - f02.FAREWELL
    return Behaviour(cut=Cut("down", dice.randint(end - _ABOUT_THE_DOT, end), dice.choice(list(How))))


def _odd(dice: Random) -> Behaviour:
    step = dice.choice([step for step in f01.STAGES if step is not Step.STARTTLS])
    return Behaviour(replies={step: dice.choice(list(f01.REPLIES.values())) + b"\r\n"})


def _short(_dice: Random) -> Behaviour:
    return Behaviour(mails=1)


def _late(dice: Random) -> Behaviour:
    return Behaviour(delays={Step.DOT: dice.choice(_LATE)})


def _fine(_dice: Random) -> Behaviour:
    return HEALTHY


FAMILY = Family("F0", "everything at once", cases, slice_size=9, together=9)
