"""A bad day, drawn by lot: whatever fails, dies or is changed and whenever, nothing is lost, and copies are few."""

import random
from collections import Counter
from uuid import UUID

import pytest

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import FINAL, State
from mail_sender.message import Message
from mail_sender.verdict import RelayDown, Stage, Verdict
from tests.support.memory_source import fault
from tests.support.samples import CUT, DOWN, LATER, MINUTE, NOW, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import Bench, bench

pytestmark = VIRTUAL_TIME

CALLS = ["admit", "due", "begin", "dot", "settle", "interrupted", "unmarked", "marked", "forget", "find", "next_due"]
VERDICTS: list[Verdict] = [
    DOWN,
    LATER,
    CUT,
    RelayDown(Stage.DATA, "connection cut", "look", lasting=False),
    RelayDown(Stage.AUTH, "535", "mend it", lasting=True),
]


PEOPLE = [f"{number}@example.com" for number in range(9)]


class BadDay:
    """Draws what happens next."""

    def __init__(self, table: Bench, seed: int) -> None:
        self._table = table
        self._dice = random.Random(seed)
        self._events = [self.die, self.change, self.disk, self.server, self.relay, self.slow, self.mend]
        self.deaths = 0

    async def happen(self) -> None:
        """Let one thing happen, and some time pass."""
        await self._dice.choice(self._events)()
        await self._table.run(self._dice.choice([0.1, 0.7, 3.0, 20.0, 140.0]))

    async def die(self) -> None:
        self.deaths += 1
        await self._table.kill()

    async def change(self) -> None:
        self._table.change()

    async def disk(self) -> None:
        which = self._dice.choice([self._table.faults.before, self._table.faults.after])
        which.update(self._dice.sample(CALLS, self._dice.randint(1, 4)))

    async def server(self) -> None:
        self._table.source.down = fault(self._dice.choice([*ServerFaultKind]))

    async def relay(self) -> None:
        self._dice.choice(self._table.transports).always(self._dice.choice(VERDICTS))

    async def slow(self) -> None:
        seconds, stage = self._dice.choice([0.5, 5.0, 50.0]), self._dice.choice([Stage.RCPT, Stage.DOT])
        transport = self._dice.choice(self._table.transports)
        for person in PEOPLE:
            transport.slow(person, seconds, stage)

    async def mend(self) -> None:
        self._table.faults.mend()
        self._table.source.down = None
        for transport in self._table.transports:
            transport.always(None)
            for person in PEOPLE:
                transport.slow(person, 0.1)


async def ends_of(table: Bench, messages: list[Message]) -> dict[UUID, Delivery]:
    """Return what became of each message, when nothing was left to do for a quarter of an hour."""
    ends: dict[UUID, Delivery] = {}
    for _ in range(12):
        await table.run(15 * 60)
        before, ends = ends, {of.id: (await table.deliveries(of))[0] for of in messages}
        if ends == before and all(end.state in FINAL for end in ends.values()):
            break
    return ends


@pytest.mark.parametrize("seed", range(15))
async def test_a_bad_day_loses_nothing_and_copies_little(seed: int) -> None:
    """Every message arrives or is known to be in doubt; at most two copies of one, the same bytes; all marks are true.

    With fallbacks or without; the bench sees that both copies go to one relay.
    """
    messages = [message(PEOPLE[number % 9], send_after=NOW + number * MINUTE) for number in range(15)]
    async with bench(*messages, schedule="*/15 * * * * *", fallbacks=seed % 3) as table:
        day = BadDay(table, seed)
        for _ in range(40):
            await day.happen()
        await day.mend()
        ends = await ends_of(table, messages)
        mails = [mail for transport in table.transports for mail in transport.arrived]
        arrived = Counter(mail.message_id for mail in mails)
        bytes_of = {mail.message_id: {mail.digest} for mail in mails}
        for mail in mails:
            bytes_of[mail.message_id].add(mail.digest)
        for id_, end in ends.items():
            copies = arrived[f"<{id_}@example.com>"]
            assert end.state in {State.SENT, State.UNKNOWN, State.ABANDONED}
            assert (copies > 0) is (end.state is not State.ABANDONED)
            assert copies <= 1 + min(end.ambiguous, 1)
        assert all(len(digests) == 1 for digests in bytes_of.values())
        sent = {id_ for id_, end in ends.items() if end.state is State.SENT}
        in_doubt = {id_ for id_, end in ends.items() if end.state is State.UNKNOWN}
        assert sent <= table.source.sent <= sent | in_doubt
        assert await table.ledger.interrupted() == []
        assert not table.has_ended
