"""What a dry run makes of the server and the ledger: both are read as ever, and nobody is told of what was sent."""

from datetime import timedelta

from mail_sender.ledger.base import Query
from mail_sender.ledger.dry_run import DryRunLedger
from mail_sender.ledger.states import State
from mail_sender.message import Found
from mail_sender.sender.settle import ended
from mail_sender.source.dry_run import DryRunSource
from tests.support.memory_source import MemorySource
from tests.support.samples import DAY, HOUR, NOW, message


async def test_a_server_is_read_and_never_told() -> None:
    """Standing, list and single messages are the server's own; a mark reaches nobody."""
    queued = message()
    server = MemorySource([queued])
    source = DryRunSource(server)
    assert await source.standing() == await server.standing()
    await source.mark_sent(queued.id)
    assert (await source.list_ready(NOW)).messages == (queued,)
    assert await source.read(queued.id) == Found(queued, None)
    assert server.marks == []
    await source.close()


async def test_what_is_sent_is_never_due_for_a_mark_nor_taken_for_unsent() -> None:
    """However long the server goes on listing it, it is not mailed again, and nobody is said to have un-sent it."""
    queued = message()
    ledger = await DryRunLedger.open(None)
    await ledger.admit([queued], NOW, DAY)
    (delivery,) = await ledger.due(NOW, 10)
    claimed = await ledger.begin(delivery)
    await ledger.settle(claimed, ended(claimed, State.SENT, NOW), NOW)
    later = NOW + timedelta(hours=1)
    assert await ledger.unmarked(later) == ()
    assert await ledger.admit([queued], NOW + HOUR, DAY) == []
    assert await ledger.due(later, 10) == []
    (entry,) = await ledger.find(Query(), 10)
    assert (entry.delivery.state, entry.marked_at) == (State.SENT, None)
    await ledger.close()
