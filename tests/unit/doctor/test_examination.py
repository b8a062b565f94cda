"""The checks are made side by side and reported in order, each within its time, whatever one of them does."""

import asyncio
from collections.abc import AsyncGenerator

from mail_sender.doctor.examination import Table, examine
from mail_sender.doctor.finding import Finding, Level, Topic
from mail_sender.doctor.subject import Subject
from tests.support.virtual_time import VIRTUAL_TIME

pytestmark = VIRTUAL_TIME

SECRET = "hunter2-hunter2"
RELAY = Topic.RELAY


async def quick(_: Subject) -> AsyncGenerator[Finding, None]:
    yield Topic.CLOCK.ok("quick", "at once")


async def slow(_: Subject) -> AsyncGenerator[Finding, None]:
    yield RELAY.ok("slow", "at once")
    await asyncio.sleep(30)
    yield RELAY.ok("slow", "late")


async def stuck(_: Subject) -> AsyncGenerator[Finding, None]:
    yield RELAY.ok("stuck", "at once")
    await asyncio.Event().wait()


async def broken(_: Subject) -> AsyncGenerator[Finding, None]:
    yield RELAY.ok("broken", "at once")
    raise TimeoutError(SECRET)


async def seen(table: Table) -> list[Finding]:
    return [finding async for finding in examine(table, Subject())]


async def test_topics_are_examined_side_by_side_and_reported_in_order() -> None:
    """Two topics of half a minute take half a minute; what ends first waits for its turn."""
    loop = asyncio.get_running_loop()
    found = await seen({RELAY: [slow], Topic.SERVER: [slow], Topic.CLOCK: [quick]})
    assert [finding.seen for finding in found] == ["at once", "late", "at once", "late", "at once"]
    assert loop.time() == 30


async def test_a_finding_is_shown_as_soon_as_it_is_there() -> None:
    """Somebody who waits for a slow relay sees meanwhile what was found before."""
    findings = examine({RELAY: [slow]}, Subject())
    await anext(findings)
    assert asyncio.get_running_loop().time() == 0
    await findings.aclose()


async def test_all_checks_together_end_in_time() -> None:
    """A check that hangs becomes a fault; the others are made as far as there is time."""
    found = await seen({RELAY: [stuck, stuck, quick], Topic.CLOCK: [quick]})
    assert asyncio.get_running_loop().time() == 50
    late = [one for one in found if one.level is Level.FAULT]
    assert [(one.check, one.seen) for one in late] == [
        ("stuck", "no answer within 40 s"),
        ("stuck", "no answer within 10 s"),
    ]
    assert found[-1].seen == "at once"


async def test_what_a_check_raises_becomes_a_finding_without_its_words() -> None:
    """The other checks are made all the same, and the exception's text, which may hold a secret, is not shown."""
    found = await seen({RELAY: [broken, slow]})
    assert [finding.check for finding in found] == ["broken", "broken", "slow", "slow"]
    assert found[1].level is Level.FAULT
    assert "TimeoutError at test_examination.py:" in found[1].seen
    assert SECRET not in str(found)
