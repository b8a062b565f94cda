"""A ledger that fails while the sender runs, whichever it is: nothing new begins, and when it works again, all goes on."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.faults.api_faults import pause
from tests.faults.killing import Point
from tests.faults.rig import Rig
from tests.faults.rig_tap import tapped

POINTS = tuple(
    Point(f"ledger.{method}", "before", nth)
    for method, nths in {
        "admit": (1,),
        "due": (2, 4),
        "begin": (1, 4),
        "dot": (1, 4),
        "settle": (1, 4),
        "marked": (2,),
    }.items()
    for nth in nths
)


@dataclass(frozen=True, slots=True)
class Strike:
    """Whether a point was met, and the Message-IDs of the mails whose dots are committed; more may come."""

    met: asyncio.Event = field(default_factory=asyncio.Event)
    dots: set[str] = field(default_factory=set)


async def strike(rig: Rig, at: Point, deed: Callable[[], Awaitable[Any]]) -> Strike:
    """Queue some mails, start the sender, and have something happen before a call of its ledger."""
    struck, calls = Strike(), itertools.count(1)

    async def before(name: str, _arguments: tuple[Any, ...]) -> None:
        if f"ledger.{name}" == at.method and next(calls) == at.nth:
            await deed()
            struck.met.set()
            rig.changes.ring()

    async def after(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "dot":
            struck.dots.add(arguments[1].message_id)

    rig.wraps.ledger = lambda ledger: tapped(ledger, before=before, after=after)
    for number in range(8):
        rig.mail(reset=number % 2 == 0)
    await rig.start()
    return struck


async def while_it_fails(rig: Rig, at: Point, begin: Callable[[], Any], said_after: float = 5.0) -> set[str]:
    """Let the sender run until a fault has begun before a call, and see that it says so and stops mailing.

    Returns the Message-IDs of the mails whose dots are committed; more may come.
    """
    struck = await strike(rig, at, begin)
    assert await rig.changes.until(struck.met.is_set), f"{at} was not met"
    rig.mail()  # something new to do
    await rig.changes.until(lambda: "ledger_down" in rig.log, said_after)
    assert "ledger_down" in rig.log, "nothing is said of the ledger"
    await pause(rig, 200)  # what was past its dot may end
    mails = len(rig.relay.mails)
    await pause(rig, 900)
    assert len(rig.relay.mails) == mails, "mail went out that the ledger could not write down"
    return struck.dots


def require_dots(rig: Rig, dots: set[str]) -> None:
    """No mail went without its dot's commit."""
    without = [mail.recipient for mail in rig.relay.mails if mail.message_id not in dots]
    assert not without, f"mailed without its dot's commit: {without}"


def require_peace(rig: Rig) -> None:
    """The fault is said in words, and once."""
    assert "Traceback" not in rig.log, rig.log[-2000:]
    assert " internal_error " not in rig.log, next(
        line for line in rig.log.splitlines() if " internal_error " in line
    )
    assert rig.log.count("ledger_down") < 10, "the fault is said over and over"
