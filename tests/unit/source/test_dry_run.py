"""What a dry run makes of the server and the ledger: both are read as ever, and nobody is told of what was sent."""

from datetime import timedelta

import respx

from mail_sender.ledger.base import Query
from mail_sender.ledger.dry_run import DryRunLedger
from mail_sender.ledger.states import State
from mail_sender.names.secret import Secret
from mail_sender.sender.settle import ended
from mail_sender.source.config import SourceConfig
from mail_sender.source.dry_run import DryRunSource
from mail_sender.source.kanidm import KanidmSource
from tests.conformance import captures
from tests.support.samples import DAY, HOUR, NOW, message
from tests.unit.source.answering import SERVER


async def test_a_server_is_read_and_never_told(server: respx.MockRouter) -> None:
    """Standing, list and single messages are the server's own; a mark reaches nobody."""
    config = SourceConfig(SERVER, Secret("a-token"))
    answers = {capture.name: capture.json for capture in captures.load()}
    server.get("/v1/self").respond(json=answers["self: sender"])
    server.get(path__startswith="/scim/v1/Entry/").respond(404)
    server.get("/scim/v1/Message/_ready").respond(json=answers["ready: test and reset"])
    dry, real = DryRunSource(config), KanidmSource(config)
    assert await dry.standing() == await real.standing()
    listed = await dry.list_ready(NOW)
    assert listed == await real.list_ready(NOW)
    one = listed.messages[0].id
    server.get(f"/scim/v1/Message/{one}").respond(json=answers["get"])
    assert await dry.read(one) == await real.read(one)
    asked = len(server.calls)
    await dry.mark_sent(one)
    assert len(server.calls) == asked
    for source in (dry, real):
        await source.close()


async def test_what_is_sent_is_never_due_for_a_mark_nor_taken_for_unsent() -> None:
    """However long the server goes on listing it, it is not mailed again, and nobody is said to have un-sent it."""
    queued = message()
    ledger = await DryRunLedger.open(None)
    await ledger.admit([queued], NOW, DAY)
    (delivery,) = await ledger.due(NOW, 10)
    claimed = await ledger.begin(delivery)
    assert await ledger.settle(claimed, ended(claimed, State.SENT, NOW), NOW) is False
    later = NOW + timedelta(hours=1)
    assert await ledger.unmarked(later) == ()
    assert await ledger.admit([queued], NOW + HOUR, DAY) == []
    assert await ledger.due(later, 10) == []
    (entry,) = await ledger.find(Query(), 10)
    assert (entry.delivery.state, entry.marked_at) == (State.SENT, None)
    await ledger.close()
