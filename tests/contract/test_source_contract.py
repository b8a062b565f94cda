"""What every source promises: the queue of a Kanidm, over HTTPS to the stub, and the one in memory that tests use."""

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal, Protocol
from uuid import UUID, uuid4

import pytest

from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.message import (
    CredentialReset,
    Found,
    IntentId,
    Listing,
    Message,
    OddEntry,
    TestMessage,
    UnknownContent,
)
from mail_sender.names.secret import Secret
from mail_sender.source.base import Source, Standing
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from tests.support.memory_source import MemorySource, fault
from tests.support.stub import Stub

Role = Literal["readwrite", "readonly", "outsider", "expired"]
TAGS = {TestMessage: "TestMessageV1", CredentialReset: "CredentialResetV1", UnknownContent: "AccountExpiryV1"}


class World(Protocol):
    """A server with a queue, as a test wants it."""

    source: Source

    async def queue(self, messages: Sequence[Message]) -> None:
        """Queue messages, in this order."""
        ...

    async def queue_odd(self) -> None:
        """Queue an entry that cannot be read."""
        ...

    def become(self, role: Role) -> Source:
        """Return a source that comes with another token."""
        ...


class StubWorld:
    """The stub identity server, a process, over TLS."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._made: list[Source] = []
        self.source = self.become("readwrite")

    async def queue(self, messages: Sequence[Message]) -> None:
        """Through the stub's command for raw entries."""
        self._stub.queue([_raw(of) for of in messages])

    async def queue_odd(self) -> None:
        """An entry with an expiry that is none."""
        template = {"CredentialResetV1": {"display_name": "x", "intent_id": "secret-intent", "expiry_time": "soon"}}
        self._stub.queue([{"mail_destination": [{"value": "a@example.com"}], "message_template": template}])

    def become(self, role: Role) -> Source:
        """With that role's token."""
        token = Secret(self._stub.tokens[role])
        self._made.append(KanidmSource(SourceConfig(self._stub.url, token, ca_path=self._stub.ca)))
        return self._made[-1]

    async def close(self) -> None:
        """Close every source that was made."""
        for source in self._made:
            await source.close()


class MemoryWorld:
    """The source in memory, with a server's refusals as scripts."""

    def __init__(self) -> None:
        self._memory = MemorySource()
        self.source: Source = self._memory

    async def queue(self, messages: Sequence[Message]) -> None:
        """Add them."""
        self._memory.messages += messages

    async def queue_odd(self) -> None:
        """Add one."""
        self._memory.odd = (OddEntry(str(uuid4()), "cannot be read: expiry_time (int_type)"),)

    def become(self, role: Role) -> Source:
        """Refuse as a server refuses that role."""
        refusals = {
            "readonly": ServerFaultKind.TOKEN_READ_ONLY, "outsider": ServerFaultKind.NOT_A_SENDER, "expired": ServerFaultKind.TOKEN_REFUSED,
        }  # fmt: skip
        if role in refusals:
            self._memory.script("standing", fault(refusals[role]))
        return self._memory


def _raw(of: Message) -> dict[str, object]:
    fields: dict[str, object] = {}
    if isinstance(of.content, TestMessage):
        fields = {"display_name": of.content.display_name}
    elif isinstance(of.content, CredentialReset):
        expiry = int(of.content.expires_at.timestamp())
        fields = {
            "display_name": of.content.display_name, "intent_id": str(of.content.intent_id), "expiry_time": expiry,
        }  # fmt: skip
    return {
        "id": str(of.id),
        "send_after": of.send_after.isoformat().replace("+00:00", "Z"),
        "delete_after": of.delete_after.isoformat().replace("+00:00", "Z"),
        "mail_destination": [{"primary": True, "value": recipient} for recipient in of.recipients],
        "message_template": {TAGS[type(of.content)]: fields},
    }


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    """Give a stub to all tests of this file."""
    with Stub(tmp_path_factory.mktemp("source") / "stub") as running:
        yield running


@pytest.fixture(params=["memory", "kanidm"])
async def world(request: pytest.FixtureRequest, shared_stub: Stub) -> AsyncIterator[World]:
    """Give a server with an empty queue."""
    if request.param == "memory":
        yield MemoryWorld()
        return
    made = StubWorld(shared_stub)
    yield made
    await made.close()
    for entry in shared_stub.messages():
        assert shared_stub.request("POST", f"/scim/v1/Message/{entry['id']}/_sent").status_code == 200


NOW = datetime.now(UTC).replace(microsecond=0)


def message(*recipients: str, minutes: int = 1, name: str = "Ellie") -> Message:
    """Return a test message, queued so many minutes ago."""
    sent = NOW - timedelta(minutes=minutes)
    return Message(uuid4(), sent, NOW + timedelta(days=7), recipients or ("a@example.com",), TestMessage(name))


async def ready(world: World) -> Listing:
    """Return what is ready now."""
    return await world.source.list_ready(datetime.now(UTC))


async def test_a_sender_with_a_writing_token_has_a_good_standing(world: World) -> None:
    """Its account's name, that it may write, and no group too many; its queue may be empty."""
    assert await ready(world) == Listing((), (), (await ready(world)).at)
    found = await world.source.standing()
    assert replace(found, at=None) == Standing("mail-sender", may_write=True)


REFUSED: dict[Role, ServerFaultKind] = {
    "readonly": ServerFaultKind.TOKEN_READ_ONLY,
    "outsider": ServerFaultKind.NOT_A_SENDER,
    "expired": ServerFaultKind.TOKEN_REFUSED,
}


async def test_an_account_that_could_not_mark_has_no_standing(world: World) -> None:
    """Read-only, outside the group, or expired: each is raised as what it is, with something to do."""
    for role, kind in REFUSED.items():
        with pytest.raises(ServerFault) as caught:
            await world.become(role).standing()
        assert caught.value.kind is kind
        assert caught.value.advice


async def test_messages_come_whole_and_oldest_first(world: World) -> None:
    """Whatever the order they were queued in; several recipients, both templates and non-ASCII names included."""
    reset = CredentialReset("Élodie 山田", IntentId("d1c2s-tuyyh-kcpx2"), NOW + timedelta(hours=1))
    newest, middle, oldest = (
        message(minutes=1),
        message("b@example.com", "c@example.com", minutes=3),
        message(minutes=5),
    )
    middle = Message(middle.id, middle.send_after, middle.delete_after, middle.recipients, reset)
    await world.queue([middle, newest, oldest])
    assert (await ready(world)).messages == (oldest, middle, newest)


async def test_what_send_after_holds_back_is_not_ready(world: World) -> None:
    """It is listed when its time has come; whoever asks for it by its id gets it."""
    waiting = message(minutes=-60)
    await world.queue([waiting, message()])
    assert waiting.id not in {of.id for of in (await ready(world)).messages}
    assert (await world.source.read(waiting.id)).message == waiting


async def test_an_odd_entry_hides_no_good_one(world: World) -> None:
    """It is named beside them, without what it holds."""
    good = message()
    await world.queue_odd()
    await world.queue([good])
    listing = await ready(world)
    assert listing.messages == (good,)
    (odd,) = listing.odd
    assert str(UUID(odd.id)) == odd.id
    assert "secret-intent" not in odd.problem


async def test_an_unknown_kind_is_a_message(world: World) -> None:
    """So that it can be held by name."""
    known = message()
    strange = Message(
        known.id, known.send_after, known.delete_after, known.recipients, UnknownContent("account_expiry_v1")
    )
    await world.queue([strange])
    assert (await ready(world)).messages == (strange,)
    assert await world.source.read(strange.id) == Found(strange, None)


async def test_what_is_marked_is_not_ready_any_more(world: World) -> None:
    """And marking it twice does no harm."""
    first, second = message(minutes=2), message()
    await world.queue([first, second])
    for _ in range(2):
        await world.source.mark_sent(first.id)
    assert [of.id for of in (await ready(world)).messages] == [second.id]


async def test_a_message_that_the_server_does_not_know_is_gone(world: World) -> None:
    """When it is marked and when it is read: which is not a fault of the server."""
    for call in (world.source.mark_sent, world.source.read):
        with pytest.raises(MessageGone):
            await call(uuid4())


async def test_a_message_is_read_by_itself_as_it_is_listed(world: World) -> None:
    """Sent or not: with all that the list has of it, and whether it was marked."""
    of = message("a@example.com", "b@example.com", name="Élodie 山田")
    await world.queue([of, message()])
    assert await world.source.read(of.id) == Found(of, None)
    await world.source.mark_sent(of.id)
    found = await world.source.read(of.id)
    assert found.message == of
    assert found.sent_at is not None
    assert found.sent_at.tzinfo is not None


async def test_closing_twice_does_no_harm(world: World) -> None:
    """Whether it was used or not."""
    await world.source.standing()
    for _ in range(2):
        await world.source.close()
