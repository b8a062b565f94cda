"""F3: the ciphertext is cut at random octets, with TLS from the first octet or by STARTTLS, in TLS 1.2 and 1.3.

A proxy in between cuts, so that records and handshakes break where they will. How many octets pass is measured first,
each way of TLS by itself. What the relay said on a connection that was cut, the client may have read or not.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random

from tests.faults import setting
from tests.faults.campaign import ground
from tests.faults.family import PATIENT, Case, Family
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour
from tests.faults.rig_proxy import Proxy
from tests.faults.rig_wire import Cut, How
from tests.faults.setting import Setting

STALL_SECONDS = 2.0
OFFSETS = 200


@dataclass(frozen=True)
class Mode:
    """A way of TLS."""

    implicit: bool
    old: bool

    def __str__(self) -> str:
        """Give the beginning of a case's name."""
        return f"{'implicit' if self.implicit else 'STARTTLS'} TLS {'1.2' if self.old else '1.3'}"


MODES = tuple(Mode(implicit, old) for implicit in (True, False) for old in (True, False))


def cases(seed: int) -> Sequence[Case]:
    """Return 200 cases for each way of TLS."""
    dice = Random(seed)
    return [
        Case(f"{mode} {cut}", _CutBetween(mode, cut), STALL_SECONDS if cut.how is How.STALL else PATIENT)
        for mode, octets in _measured().items()
        for cut in _cuts(dice, octets)
    ]


def _cuts(dice: Random, octets: tuple[int, int]) -> list[Cut]:
    up, down = octets
    offsets = sorted(dice.sample(range(up + down), OFFSETS))
    return [
        Cut("up", offset, dice.choice(list(How))) if offset < up else Cut("down", offset - up, dice.choice(list(How)))
        for offset in offsets
    ]


class _CutBetween:
    """The play of one cut between client and relay, on the first connection."""

    def __init__(self, mode: Mode, cut: Cut) -> None:
        self._mode = mode
        self._cut = cut

    async def __call__(self, rig: Rig) -> None:
        stalls = self._cut.how is How.STALL
        await _open(rig, self._mode, lambda number: self._cut if number == 1 else None)
        rig.place = replace(rig.place, connect_timeout=STALL_SECONDS if stalls else PATIENT)
        rig.mail()
        await rig.start()
        await rig.drained()


async def _open(rig: Rig, mode: Mode, cut: Callable[[int], Cut | None]) -> Proxy:
    await rig.listen(implicit=mode.implicit)
    if mode.old:
        rig.relay.behave = lambda _: Behaviour(tls=rig.certificates.tls12)
    proxy = rig.proxy = Proxy(rig.relay.port, cut)
    await proxy.listen()
    rig.place = replace(rig.place, relay_port=proxy.port)
    return proxy


def _measured() -> dict[Mode, tuple[int, int]]:
    """Return the octets of ciphertext that a whole conversation has, up and down."""
    return _measured_in(setting.current())


@cache
def _measured_in(of: Setting) -> dict[Mode, tuple[int, int]]:
    with setting.using(of):
        return asyncio.run(_measure())


async def _measure() -> dict[Mode, tuple[int, int]]:
    found = {}
    async with ground() as shared:
        for mode in MODES:
            async with shared.rig(str(mode), 0) as rig:
                proxy = await _open(rig, mode, lambda _: None)
                rig.mail()
                await rig.start()
                await rig.drained()
                found[mode] = (proxy.passed[0]["up"], proxy.passed[0]["down"])
    return found


FAMILY = Family("F3", "cut between the octets of TLS", cases, slice_size=16, together=12)
