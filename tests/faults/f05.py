"""F5: kill -9 before and after every call of the Protocols, every commit, and at steps of the event loop.

Each scene is played once for a sender that nobody kills, which tells how often it meets each point. Then each point
up to its nth call gets a case: a sender dies there, and one that nobody kills finds what it left. In some cases two
senders on end die at the same place.
"""

import asyncio
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cache, partial
from types import MappingProxyType

from server_stub.misbehaviour.exchange import lose_answer, status
from tests.faults import setting
from tests.faults.campaign import ground
from tests.faults.family import Case, Family
from tests.faults.killing import SIDES, Point, methods
from tests.faults.lives import lived
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, Step, deferring, first
from tests.faults.setting import Setting

Scene = Callable[[Rig], None]
MOST_COMMITS = 20
MOST_BY_TIME = 3
STEPS = 264
MANY = 20
AT_THE_DOT = 0.05
"""Seconds that a relay takes at a dot where many are to be there at once."""
_SURE = frozenset(
    {
        *("ledger.begin", "ledger.dot", "ledger.settle", "ledger.interrupted", "ledger.find"),
        *("transport.send", "transport.before_dot", "source.mark_sent", "ledger.close", "source.close"),
    }
)
"""What each scene calls so and so often. All else is called as often as time wants it, and may be missed: marks that
come at the same time are written together."""
_LOOKED_FOR_AGAIN = frozenset({"ledger.interrupted"})
"""What time wants as well of a ledger that several replicas share."""


def plain(rig: Rig) -> None:
    """Queue two messages and a link, one of them for two people."""
    rig.mail()
    rig.mail("ellie@example.com", "bob@example.com")
    rig.mail(reset=True)


def deferred(rig: Rig) -> None:
    """Have all first attempts refused for now, so that messages are read again."""
    rig.relay.behave = deferring(2)
    rig.mail()
    rig.mail(reset=True)


def cut(rig: Rig) -> None:
    """Have the first mail cut at the dot, so that it goes twice."""
    rig.relay.behave = first(Behaviour(replies={Step.DOT: b""}, mails=1))
    rig.mail(reset=True)


def unheard(rig: Rig) -> None:
    """Have marks fail, and their answers be lost."""
    rig.api.fault(status(503), path="_sent")
    rig.api.fault(lose_answer, path="_sent", times=2)
    rig.mail()
    rig.mail()


def troubled(rig: Rig) -> None:
    """Have the server fail at first, and the relay turn the first connections away."""
    rig.api.fault(status(500), path="_ready", times=2)
    rig.relay.behave = first(Behaviour(replies={Step.BANNER: b"421 4.3.2 come back later\r\n"}), 2)
    rig.mail()
    rig.mail("ellie@example.com", "bob@example.com")


def limited(rig: Rig) -> None:
    """Have the sender keep to limits, so that it asks the ledger what went, and holds a mail back."""
    rig.place = replace(rig.place, per_minute=1)
    for _ in range(3):
        rig.mail()


def many(rig: Rig) -> None:
    """Queue so many messages, some for the same people, that all connections are in use, and commits hold several steps."""
    rig.relay.behave = lambda _: Behaviour(delays={Step.DOT: AT_THE_DOT})
    for number in range(MANY):
        match number % 6:
            case 0:
                rig.mail(f"first-{number}@example.com", f"second-{number}@example.com")
            case 1:
                rig.mail("ellie@example.com", reset=True)
            case _:
                rig.mail()


SCENES: Mapping[str, Scene] = MappingProxyType(
    {
        "plain": plain,
        "deferred": deferred,
        "cut": cut,
        "unheard": unheard,
        "troubled": troubled,
        "limited": limited,
        "many": many,
    }
)
_NEVER_DEFERRED = frozenset(SCENES) - {"deferred"}
"""Scenes in which a relay that answers says yes: a delivery counts one attempt there, whatever became of others."""
_TWICE = ("plain", "deferred")


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each scene and point."""
    return [*_once(), *_twice(), *_steps()]


def _once() -> Iterator[Case]:
    for scene in SCENES:
        for point in _points(scene, MOST_COMMITS):
            yield Case(f"{scene} {point}", partial(play, scene=scene, point=point, lives=1))


def _twice() -> Iterator[Case]:
    for scene in _TWICE:
        for point in _points(scene, 1):
            yield Case(f"{scene} {point} twice", partial(play, scene=scene, point=point, lives=2))


def _steps() -> Iterator[Case]:
    for nth in range(1, STEPS, 2):
        point = Point("loop.step", "before", nth)
        yield Case(f"plain {point}", partial(play, scene="plain", point=point, lives=1))


def _points(scene: str, most: int) -> Iterator[Point]:
    for method in methods():
        for side in SIDES:
            calls = min(most, _calls(scene, method, side))
            for nth in _spread(calls) if scene == "many" else range(1, calls + 1):
                yield Point(method, side, nth)


def _spread(calls: int) -> Iterator[int]:
    """Yield a few of the numbers up to this one: 1, 2, 4, 8 and so on."""
    return itertools.takewhile(lambda nth: nth <= calls, (2**power for power in itertools.count()))


def _calls(scene: str, method: str, side: str) -> int:
    """Return how often a scene calls a method, as far as that is the same each time."""
    if _is_sure(method):
        return counted()[scene].get(f"{method}:{side}", 0)
    if not any(f"{method}:{side}" in counts for counts in counted().values()):
        return 0
    return MOST_COMMITS if method == "disk.commit" else MOST_BY_TIME


def _is_sure(method: str) -> bool:
    return method in (_SURE - _LOOKED_FOR_AGAIN if setting.current().server else _SURE)


async def play(rig: Rig, scene: str, point: Point, lives: int) -> None:
    """Queue a scene, and have so many senders die at the point."""
    SCENES[scene](rig)
    # Twice at the dot, and nobody knows whether it was out: that is said, and not repaired by a third mail.
    rig.queued = [replace(queued, may_fail=lives > 1) for queued in rig.queued]
    for number in range(lives):
        end = await lived(rig, "kill", point)
        sure = number == 0 and _is_sure(point.method)
        assert end.reached or not sure, f"{point} was not met"
    if scene in _NEVER_DEFERRED:
        await rig.start()
        await rig.drained()
        counted = [row.delivery for row in await rig.rows() if row.delivery.attempts > 1]
        assert not counted, f"{counted[0].recipient} counts an attempt that had no verdict"


def counted() -> Mapping[str, Mapping[str, int]]:
    """Return how often each scene meets each point, as a sender tells that nobody kills."""
    return _counted_in(setting.current())


@cache
def _counted_in(of: Setting) -> Mapping[str, Mapping[str, int]]:
    with setting.using(of):
        return asyncio.run(_count())


async def _count() -> Mapping[str, Mapping[str, int]]:
    found: dict[str, Mapping[str, int]] = {}
    async with ground() as shared:
        for name, scene in SCENES.items():
            async with shared.rig(f"count {name}", 0) as rig:
                scene(rig)
                found[name] = (await lived(rig)).counts
    return found


FAMILY = Family("F5", "kill -9 at every call, commit and step", cases, slice_size=34)
