"""Letters that never get through hold up no others, however many there are."""

import asyncio
from datetime import timedelta

from mail_sender.ledger.memory import MemoryLedger
from mail_sender.message import Message
from mail_sender.render import Letter
from mail_sender.schedule import Schedule
from mail_sender.settings import WorkerConfig
from mail_sender.verdict import Deferred, LaneDown, Reply, Stage
from mail_sender.worker import Stages, Worker
from tests.support.fake_clock import FakeClock
from tests.support.memory_source import MemorySource
from tests.support.recording_transport import RecordingTransport
from tests.unit.samples import LETTER, NOW, message

CUT = LaneDown(Stage.RCPT, "connection cut", "look at the relay's log", lasting=False)
LATER = Deferred(Stage.RCPT, Reply(450, "4.2.0 greylisted"))
GOOD = "good@example.com"
MOST_TRIES = 10_000
NEWER = NOW - timedelta(seconds=1)


async def work(transport: RecordingTransport, messages: list[Message], clock: FakeClock, polls: int) -> None:
    """Work on a queue until so many waits between polls have passed, or the good letter is tried."""
    stop = asyncio.Event()
    stages = Stages(MemorySource(messages), MemoryLedger(), transport)

    def look(letter: Letter) -> None:
        clock.advance(0.02)
        if letter.recipient == GOOD or len(transport.tried) > MOST_TRIES:
            stop.set()

    transport.meanwhile = look
    clock.stop_after = polls
    await Worker(stages, LETTER, WorkerConfig(Schedule("*/5 * * * * *")), clock).run(stop)


async def test_two_letters_that_break_the_lane_let_a_third_one_go() -> None:
    """A relay that cuts the connection at one recipient does so for all of his mails: within an hour others go."""
    transport = RecordingTransport()
    transport.script("poison@example.com", *[CUT] * 10_000)
    messages = [message("poison@example.com") for _ in range(5)] + [message(GOOD, send_after=NEWER)]
    await work(transport, messages, FakeClock(NOW), polls=720)
    assert [letter.recipient for letter in transport.arrived] == [GOOD]


async def test_deferred_letters_by_the_thousand_let_a_newer_one_go() -> None:
    """They are tried again, but not before what was never tried."""
    transport = RecordingTransport()
    recipients = [f"grey{number}@example.com" for number in range(2_000)]
    for recipient in recipients:
        transport.script(recipient, *[LATER] * 100)
    messages = [*map(message, recipients), message(GOOD, send_after=NEWER)]
    await work(transport, messages, FakeClock(NOW), polls=20)
    assert [letter.recipient for letter in transport.arrived] == [GOOD]
