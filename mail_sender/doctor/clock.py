"""The clock: this machine's beside that of the identity server, by which links end."""

from collections.abc import AsyncGenerator
from contextlib import suppress
from datetime import timedelta

from mail_sender.clock import TOLERANCE, SteadyClock
from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject
from mail_sender.errors import ServerFault
from mail_sender.sender import skew
from mail_sender.source.kanidm import KanidmSource

_CLOCK = Topic.CLOCK


async def clock(subject: Subject) -> AsyncGenerator[Finding, None]:
    """Compare this machine's clock with the Date header of an answer, whatever else the server answers."""
    if subject.source is None:
        yield _CLOCK.skipped("clock", "the client config has a fault: the identity server's time is not known")
        return
    source = KanidmSource(subject.source)
    try:
        with suppress(ServerFault):  # the checks of the server report it
            await source.standing()
        date = source.facts.date
    finally:
        await source.close()
    if date is None:
        yield _CLOCK.skipped("clock", "the identity server gave no time to compare it with")
        return
    steady = SteadyClock()
    ahead = steady.learn(date)
    found = skew.described(ahead, servers_counts=abs(date - steady.now()) <= TOLERANCE)
    yield judged(ahead, found)


def judged(ahead: timedelta, found: skew.Skew) -> Finding:
    """Return the finding of a machine's clock that is so far ahead of the server's."""
    if abs(ahead) <= TOLERANCE:
        return _CLOCK.ok("clock", "this machine's clock agrees with the identity server's")
    if abs(ahead) <= skew.REPORTED:
        return _CLOCK.warning("clock", found.detail, found.advice)
    return _CLOCK.fault("clock", found.detail, found.advice)
