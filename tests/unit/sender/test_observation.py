"""Those who watch the flow see each thing that happens once, and nothing that names a person or a link."""

from dataclasses import astuple

from mail_sender.errors import ServerFaultKind
from mail_sender.ledger.states import State
from mail_sender.sender.observation import Committed, Marked, NextPoll, Polled, PollFailed, Recorded, Rendered
from tests.support.memory_source import fault
from tests.support.samples import A, B, message
from tests.support.virtual_time import VIRTUAL_TIME
from tests.support.worker_bench import bench

pytestmark = VIRTUAL_TIME


async def test_one_message_is_observed_on_its_whole_way() -> None:
    """From the poll to the mark; each commit, too."""
    async with bench(message(A)) as table:
        await table.run(1)
        seen = table.observed
    names = [type(one).__name__ for one in seen if not isinstance(one, NextPoll)]
    commits = ["Committed", "Committed"]
    assert sorted(names) == sorted(["Polled", "Rendered", *commits, "Recorded", "Marked"])
    assert [one.what for one in seen if isinstance(one, Committed)] == ["dot", "outcome"]
    (polled,) = [one for one in seen if isinstance(one, Polled)]
    assert (polled.ready, polled.malformed) == (1, 0)
    (recorded,) = [one for one in seen if isinstance(one, Recorded)]
    assert (recorded.kind, recorded.state) == ("test_message_v1", State.SENT)
    assert recorded.attempt is not None
    assert recorded.attempt.verdict == "accepted"
    assert recorded.waited >= 0
    assert [one.done for one in seen if isinstance(one, Marked)] == [True]


async def test_what_fails_is_observed() -> None:
    """A poll and a mark that fail say so, and the next poll is named."""
    async with bench(message(A)) as table:
        table.source.script("mark_sent", fault(ServerFaultKind.UNREACHABLE))
        await table.run(1)
        table.source.script("list_ready", fault(ServerFaultKind.UNREACHABLE))
        await table.run(30)
        seen = table.observed
    assert [one.done for one in seen if isinstance(one, Marked)] == [False, True]
    (failed,) = [one for one in seen if isinstance(one, PollFailed)]
    following = seen[seen.index(failed) :]
    assert any(isinstance(one, NextPoll) and one.at is not None and one.at > failed.at for one in following)


async def test_no_observation_names_anybody() -> None:
    """Neither an address, nor a message, nor what is in it."""
    of = message(A, B)
    async with bench(of) as table:
        await table.run(5)
        shown = " ".join(str(astuple(one)) for one in table.observed if not isinstance(one, Rendered))
    assert table.observed
    for secret in (A, B, str(of.id)):
        assert secret not in shown
