"""Runs the checks: topics side by side, the checks of a topic one after the other, the findings in the table's order.

Each check has a deadline, and all of them together have one. Whatever a check raises becomes a finding: one check
never keeps another from being made.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from traceback import extract_tb

from mail_sender.doctor.finding import Finding, Topic
from mail_sender.doctor.subject import Subject

Check = Callable[[Subject], AsyncGenerator[Finding, None]]
"""Looks at one thing, and yields what it finds as it goes along. Its function's name names it in the report."""
Table = Mapping[Topic, Sequence[Check]]

CHECK_SECONDS = 40.0
"""How long one check may take."""
ALL_SECONDS = 50.0
"""How long all of them together may take."""
_CANCEL_SECONDS = 1.0


async def examine(
    table: Table, subject: Subject, *, seconds: float = ALL_SECONDS, check_seconds: float = CHECK_SECONDS
) -> AsyncGenerator[Finding, None]:
    """Yield each finding as soon as all before it are there, within so many seconds in all."""
    ends = asyncio.get_running_loop().time() + seconds
    found: dict[Topic, asyncio.Queue[Finding | None]] = {topic: asyncio.Queue() for topic in table}

    async def examine_topic(topic: Topic) -> None:
        try:
            for check in table[topic]:
                left = min(ends - asyncio.get_running_loop().time(), check_seconds)
                async with aclosing(_findings(topic, check, subject, max(left, 0.0))) as findings:
                    async for finding in findings:
                        found[topic].put_nowait(finding)
        finally:
            found[topic].put_nowait(None)

    tasks = [asyncio.ensure_future(examine_topic(topic)) for topic in table]
    try:
        for queue in found.values():
            while (finding := await queue.get()) is not None:
                yield finding
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=_CANCEL_SECONDS)


async def _findings(topic: Topic, check: Check, subject: Subject, seconds: float) -> AsyncGenerator[Finding, None]:
    """Yield the findings of one check, with one for what it raises, and for a time that is over."""
    ends = asyncio.get_running_loop().time() + seconds
    findings = check(subject)
    async with aclosing(findings):
        while True:
            limit = asyncio.timeout_at(ends)
            try:
                async with limit:
                    finding = await anext(findings)
            except StopAsyncIteration:
                return
            except Exception as error:  # noqa: BLE001 - a check that fails must not hide the others
                if limit.expired():
                    yield topic.fault(check.__name__, f"no answer within {seconds:.0f} s", _SLOW)
                else:
                    yield topic.fault(check.__name__, f"this check failed: {_place(error)}", _OURS)
                return
            yield finding


_SLOW = "the network, a disk or the other side is too slow: try again, and look there"
_OURS = "this is a fault of mail-sender: report it with this line"


def _place(error: Exception) -> str:
    """Say what was raised and where; what the exception itself says may hold a secret."""
    frames = extract_tb(error.__traceback__)
    where = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"
