"""The server is told what is sent until it has heard it."""

from uuid import UUID

import pytest
from structlog.testing import capture_logs

from mail_sender.acknowledge import acknowledge
from mail_sender.errors import MessageGone, ServerTrouble, Trouble
from mail_sender.ledger.base import Outcome
from mail_sender.ledger.memory import MemoryLedger
from mail_sender.ledger.states import State
from mail_sender.message import Message
from tests.support.memory_source import MemorySource, trouble
from tests.unit.samples import NOW, message


async def sent(*messages: Message) -> MemoryLedger:
    """Return a ledger in which these messages are sent, but not marked."""
    ledger = MemoryLedger()
    await ledger.admit(messages, NOW)
    for (delivery,) in (await ledger.deliveries(of.id for of in messages)).values():
        await ledger.begin(delivery)
        assert await ledger.settle(delivery, Outcome(State.SENT, NOW, 1, 0))
    return ledger


async def tell(source: MemorySource, ledger: MemoryLedger) -> ServerTrouble | None:
    """Tell the server of all that is unmarked."""
    return await acknowledge(await ledger.unmarked(), source, ledger)


THREE = [message(number=number) for number in (1, 2, 3)]
IDS = [UUID(int=number) for number in (1, 2, 3)]


async def test_what_the_server_has_heard_is_never_told_again() -> None:
    """After a 200 the message is marked, which is said with its id."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    with capture_logs() as events:
        assert await tell(source, ledger) is None
        assert await tell(source, ledger) is None
    assert source.marks == IDS
    assert [(event["event"], event["message"]) for event in events] == [("marked", id_) for id_ in IDS]


@pytest.mark.parametrize("kind", [Trouble.UNREACHABLE, Trouble.UNTRUSTED, Trouble.OVERLOADED, Trouble.NOT_KANIDM])
async def test_a_server_that_is_not_there_is_asked_once_a_round(kind: Trouble) -> None:
    """The rest waits for the next round, in which all of it is told."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    source.script("mark_sent", None, trouble(kind))
    found = await tell(source, ledger)
    assert found is not None
    assert found.kind is kind
    assert (source.marks, list(await ledger.unmarked())) == (IDS[:2], IDS[1:])
    assert await tell(source, ledger) is None
    assert source.sent == set(IDS)


async def test_one_message_that_the_server_chokes_on_does_not_stop_the_others() -> None:
    """An error that may be this message's own is returned, and the others are told."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    source.script("mark_sent", trouble(Trouble.ERROR))
    found = await tell(source, ledger)
    assert found is not None
    assert found.kind is Trouble.ERROR
    assert (source.marks, list(await ledger.unmarked())) == (IDS, IDS[:1])


@pytest.mark.parametrize("kind", [Trouble.TOKEN_REFUSED, Trouble.TOKEN_READ_ONLY, Trouble.NOT_A_SENDER])
async def test_a_token_that_may_not_write_is_raised(kind: Trouble) -> None:
    """No mail may go out under it; the message stays unmarked."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    source.script("mark_sent", trouble(kind))
    with pytest.raises(ServerTrouble):
        await tell(source, ledger)
    assert list(await ledger.unmarked()) == IDS


async def test_a_message_that_is_gone_is_settled_where_the_account_is_still_a_sender() -> None:
    """404 with a good standing means purged: it is said once and never told again."""
    source, ledger = MemorySource(THREE[1:]), await sent(*THREE)
    with capture_logs() as events:
        assert await tell(source, ledger) is None
    assert list(await ledger.unmarked()) == []
    assert [event["event"] for event in events] == ["gone_before_mark", "marked", "marked"]
    assert source.calls.count("standing") == 1


async def test_a_404_of_an_account_without_its_group_settles_nothing() -> None:
    """404 is also the answer to who has lost the group: then the message stays unmarked, and that is raised."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    source.script("mark_sent", MessageGone())
    source.script("standing", trouble(Trouble.NOT_A_SENDER))
    with pytest.raises(ServerTrouble):
        await tell(source, ledger)
    assert list(await ledger.unmarked()) == IDS


async def test_a_404_before_the_server_goes_away_settles_nothing() -> None:
    """Where the standing cannot be asked, the message stays unmarked for the next round."""
    source, ledger = MemorySource(THREE), await sent(*THREE)
    source.script("mark_sent", MessageGone())
    source.script("standing", trouble(Trouble.UNREACHABLE))
    found = await tell(source, ledger)
    assert found is not None
    assert found.kind is Trouble.UNREACHABLE
    assert list(await ledger.unmarked()) == IDS
