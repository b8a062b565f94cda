"""F6: kill -9 at random times, over and over, until twenty messages are through; the relay takes its time.

Most senders are the program's parts in a forked process; some are the installed command, as people run it, with its own
configuration, lock and clock. Of that one nobody knows how far it had come with each mail: what the relay said within
the last moments before its death may have been heard or not.
"""

import asyncio
import signal
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

from tests.faults.family import Case, Family
from tests.faults.installed import command_line, flags
from tests.faults.lives import forgive, is_marked, lived, settled
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import Behaviour, Step
from tests.support.sender import MAIL_SENDER

RUNS = 1_000
OF_THEM_INSTALLED = 10
MESSAGES = 20
LATENCY = 0.2
LONGEST_LIFE = 0.5
MOST_LIVES = 5
_START_SECONDS = 1.0
"""How much longer the command takes to start than a fork."""


def cases(_seed: int) -> Sequence[Case]:
    """Return the runs; their times are the dice's."""
    return [
        *(Case(f"installed {number:02}", installed) for number in range(1, OF_THEM_INSTALLED + 1)),
        *(Case(f"run {number:04}", forked) for number in range(1, RUNS - OF_THEM_INSTALLED + 1)),
    ]


def _prepare(rig: Rig) -> None:
    rig.relay.behave = lambda _: Behaviour(delays={Step.DOT: rig.random.uniform(0, LATENCY)})
    for number in range(MESSAGES):
        rig.mail(reset=number % 4 == 0)
    # Killed twice at one mail's dot, before the relay had it: nobody can know, and that is said.
    rig.queued = [replace(queued, may_fail=True) for queued in rig.queued]


async def forked(rig: Rig) -> None:
    """Have one sender after the other killed at some time, most of them counted from their first word to the relay."""
    _prepare(rig)
    for _ in range(MOST_LIVES):
        await lived(rig, kill_after=rig.random.uniform(0, LONGEST_LIFE), from_contact=rig.random.random() < 0.8)
        if is_marked(rig):
            return


async def installed(rig: Rig) -> None:
    """Have the installed command killed at some time, one after the other."""
    _prepare(rig)
    words = flags(rig, rig.folder)
    for number in range(MOST_LIVES):
        process = await asyncio.create_subprocess_exec(MAIL_SENDER, "-d", *words, stderr=asyncio.subprocess.PIPE)
        reading = asyncio.ensure_future(process.communicate())
        seconds = _START_SECONDS + rig.random.uniform(0, LONGEST_LIFE)
        done = await rig.changes.until(partial(is_marked, rig), seconds)
        rig.texts[f"the command line {number}"] = command_line(process.pid)
        process.send_signal(signal.SIGTERM if done else signal.SIGKILL)
        await _ended(rig, killed=not done)
        _, said = await reading
        rig.texts[f"the log {number}"] = said
        assert process.returncode == (0 if done else -signal.SIGKILL), said.decode()[-2000:]
        assert b"Traceback" not in said, said.decode()[-2000:]
        if done:
            return


async def _ended(rig: Rig, *, killed: bool) -> None:
    """Wait until the relay has seen all of a sender that has just ended; what it may not have heard is noted."""
    if killed:
        rig.killed()
    await settled(rig)
    if killed:
        rig.killed()  # once more: the relay may have read the last dot only now
    forgive(rig, 0)


FAMILY = Family("F6", "kill -9 at random times", cases, slice_size=6, together=6)
