"""What every transport promises: SMTP to the stub's relay over TLS, a folder, and the one that tests record with."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import pytest
import tomli

from mail_sender import clock
from mail_sender.mail.mail import Mail
from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.folder import FolderTransport
from mail_sender.relay.pool import SmtpTransport
from mail_sender.relay.relay_url import Security
from mail_sender.relay.transport import DotLate, Transport
from mail_sender.verdict import Accepted, Deferred, Refused, RelayDown, Reply, Stage, Verdict
from tests.support.recording_transport import RecordingTransport
from tests.support.stub import Stub

SENDER = "idm@example.com"
DATE = datetime(2026, 11, 21, 12, 0, 0, tzinfo=UTC)
CONTENT = b"From: idm@example.com\r\nSubject: x\r\n\r\nhello\r\n"


class World(Protocol):
    """A way out, as a test wants it."""

    transport: Transport

    def shut(self) -> None:
        """Have the relay be gone."""
        ...

    def arrived(self) -> list[tuple[str, bytes]]:
        """Return recipient and content of what arrived, in order."""
        ...


class PickyWorld(World, Protocol):
    """A relay that can be told to refuse somebody, as a folder cannot."""

    def refuse(self, recipient: str, code: int) -> None:
        """Refuse a recipient from now on."""
        ...


class StubWorld:
    """The stub's relay, a process, over TLS with a login."""

    def __init__(self, stub: Stub, security: Security) -> None:
        self._stub = stub
        config = tomli.loads(stub.sender_config.read_text())
        self.transport: Transport = SmtpTransport(
            RelayConfig(
                host="localhost",
                port=stub.ports["smtps" if security is Security.IMPLICIT else "smtp"],
                security=security,
                local_name="client.example",
                username=config["mail_username"],
                password=Secret(config["mail_password"]),
                ca_path=stub.ca,
            ),
            lambda _: None,
        )

    def refuse(self, recipient: str, code: int) -> None:
        """Through the stub's file of refusals."""
        self._stub.refuse(recipient, code, f"{code // 100}.1.1 no")

    def shut(self) -> None:
        """Kill the stub."""
        self._stub.kill()

    def arrived(self) -> list[tuple[str, bytes]]:
        """Read the stub's folder."""
        paths = sorted((self._stub.dir / "mail").glob("*.eml"))
        envelopes = self._stub.envelopes()
        return [(",".join(one["rcpt_to"]), path.read_bytes()) for one, path in zip(envelopes, paths, strict=True)]


class RecordingWorld:
    """The transport that records."""

    def __init__(self) -> None:
        self._recording = RecordingTransport()
        self.transport: Transport = self._recording

    def refuse(self, recipient: str, code: int) -> None:
        """Script it."""
        reply = Reply(code, f"{code // 100}.1.1 no")
        verdict = Refused(Stage.RCPT, "refused by the relay", reply) if code >= 500 else Deferred(Stage.RCPT, reply)
        self._recording.script(recipient, *[verdict] * 3)

    def shut(self) -> None:
        """Script it."""
        self._recording.always(RelayDown(Stage.CONNECT, "no connection", "start it", lasting=False))

    def arrived(self) -> list[tuple[str, bytes]]:
        """Return what was recorded."""
        return [(mail.recipient, mail.content) for mail in self._recording.arrived]


class FolderWorld:
    """A folder; what has arrived is what has a whole mail's name."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.transport: Transport = FolderTransport(path)

    def shut(self) -> None:
        """Put a file in its place, which stops root as well."""
        shutil.rmtree(self._path)
        self._path.write_bytes(b"")

    def arrived(self) -> list[tuple[str, bytes]]:
        """Read the files; a mail's Message-ID names its recipient."""
        files = sorted(self._path.glob("*.eml"), key=lambda file: (file.stat().st_mtime_ns, file.name))
        return [(file.stem.partition("@")[0].replace(".at.", "@"), file.read_bytes()) for file in files]


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    """Give a stub to all tests of this file."""
    with Stub(tmp_path_factory.mktemp("transport") / "stub") as running:
        yield running


_RELAYS = ["recording", Security.IMPLICIT, Security.STARTTLS, Security.DISCOVER]


@pytest.fixture
async def world(request: pytest.FixtureRequest, shared_stub: Stub, tmp_path: Path) -> AsyncIterator[World]:
    """Give a way out that takes everything; its transport is closed at the end."""
    made: World
    match request.param:
        case "recording":
            made = RecordingWorld()
        case "folder":
            made = FolderWorld(tmp_path / "mails")
        case security:
            shared_stub.__enter__()  # starts it again where a test has shut it
            made = StubWorld(shared_stub, security)
    yield made
    await made.transport.close()
    (shared_stub.dir / "refuse.toml").unlink(missing_ok=True)
    for path in (shared_stub.dir / "mail").iterdir():
        path.unlink()


every_way = pytest.mark.parametrize("world", [*_RELAYS, "folder"], indirect=True)
every_relay = pytest.mark.parametrize("world", _RELAYS, indirect=True)


def mail(recipient: str, content: bytes = CONTENT) -> Mail:
    """Return a mail."""
    return Mail(f"<{recipient.replace('@', '.at.')}@example.com>", DATE, SENDER, recipient, content)


class Dots:
    """Counts how often all but the final dot was written."""

    def __init__(self) -> None:
        self.count = 0

    async def __call__(self) -> None:
        """Count one."""
        self.count += 1


async def send(transport: Transport, recipient: str, content: bytes = CONTENT) -> Verdict:
    """Hand a mail over."""
    return await transport.send(mail(recipient, content), Dots())


@every_way
async def test_an_accepted_mail_has_arrived_byte_for_byte(world: World) -> None:
    """With dots at line starts, and the relay's 2xx as the verdict."""
    content = CONTENT + b".\r\n..\r\n.dot\r\n\r\n.\r\nend\r\n"
    verdict = await send(world.transport, "a@example.com", content)
    assert isinstance(verdict, Accepted)
    assert verdict.reply.code // 100 == 2
    assert world.arrived() == [("a@example.com", content)]


@every_way
async def test_mails_follow_each_other_in_order(world: World) -> None:
    """Ten mails, one after the other."""
    recipients = [f"{number}@example.com" for number in range(10)]
    for recipient in recipients:
        assert isinstance(await send(world.transport, recipient), Accepted)
    assert [recipient for recipient, _ in world.arrived()] == recipients


@every_relay
async def test_a_refused_recipient_is_a_verdict_and_the_next_mail_goes(world: PickyWorld) -> None:
    """5xx is refused, 4xx deferred, with stage and reply; neither arrives, or comes to its dot, or is in the next one's way."""
    world.refuse("no@example.com", 550)
    world.refuse("later@example.com", 450)
    dots = Dots()
    refused, deferred = [await world.transport.send(mail(to), dots) for to in ("no@example.com", "later@example.com")]
    assert dots.count == 0
    assert isinstance(refused, Refused)
    assert isinstance(deferred, Deferred)
    assert (refused.stage, deferred.stage) == (Stage.RCPT, Stage.RCPT)
    assert refused.reply is not None
    assert (refused.reply.code, deferred.reply.code) == (550, 450)
    assert isinstance(await send(world.transport, "yes@example.com"), Accepted)
    assert [recipient for recipient, _ in world.arrived()] == ["yes@example.com"]


@every_way
async def test_the_dot_is_announced_once_and_before_it_is_out(world: World) -> None:
    """When `before_dot` is awaited nothing has arrived yet."""
    arrived: list[int] = []

    async def count() -> None:
        arrived.append(len(world.arrived()))

    assert isinstance(await world.transport.send(mail("a@example.com"), count), Accepted)
    assert arrived == [0]
    assert len(world.arrived()) == 1


@every_way
async def test_what_before_dot_raises_stops_the_mail(world: World) -> None:
    """A ledger that cannot be written means that nothing is handed over; a later mail goes."""

    async def fail() -> None:
        raise RuntimeError("the disk is full")

    with pytest.raises(RuntimeError, match="disk is full"):
        await world.transport.send(mail("a@example.com"), fail)
    assert world.arrived() == []
    assert isinstance(await send(world.transport, "b@example.com"), Accepted)
    assert [recipient for recipient, _ in world.arrived()] == ["b@example.com"]


@every_way
async def test_a_dot_whose_time_has_passed_does_not_go_out(world: World) -> None:
    """Somebody else may have taken the mail over: nothing is handed over, and a later mail goes in its time."""

    async def until(seconds: float) -> float:
        return clock.elapsed() + seconds

    with pytest.raises(DotLate):
        await world.transport.send(mail("a@example.com"), lambda: until(-1.0))
    assert world.arrived() == []
    assert isinstance(await world.transport.send(mail("b@example.com"), lambda: until(60.0)), Accepted)
    assert [recipient for recipient, _ in world.arrived()] == ["b@example.com"]


@every_way
async def test_a_relay_that_is_gone_is_a_verdict(world: World) -> None:
    """The relay is down, nobody's mail is to blame, and nothing is raised; also after mails that went well."""
    assert isinstance(await send(world.transport, "a@example.com"), Accepted)
    world.shut()
    for _ in range(2):
        verdict = await send(world.transport, "b@example.com")
        assert isinstance(verdict, RelayDown)
        assert not verdict.lasting
        assert verdict.advice


@every_way
async def test_a_transport_works_on_after_it_was_closed(world: World) -> None:
    """Closing twice does no harm, unused as well; a later mail opens what it needs."""
    for recipient in ("a@example.com", "b@example.com"):
        await world.transport.close()
        await world.transport.close()
        assert isinstance(await send(world.transport, recipient), Accepted)
    assert len(world.arrived()) == 2


@every_way
async def test_mails_may_be_in_flight_together(world: World) -> None:
    """Four at a time, and again on what they left open; each arrives once."""
    for turn in range(2):
        people = [f"{turn}-{number}@example.com" for number in range(4)]
        verdicts = await asyncio.gather(*(send(world.transport, person) for person in people))
        assert all(isinstance(verdict, Accepted) for verdict in verdicts)
    arrived = sorted(recipient for recipient, _ in world.arrived())
    assert arrived == sorted(f"{turn}-{number}@example.com" for turn in range(2) for number in range(4))


@every_way
async def test_a_mail_that_is_cancelled_does_not_arrive_and_harms_no_other(world: World) -> None:
    """Stopped before its dot it is not handed over; the next mail does not meet what it left behind."""
    reached = asyncio.Event()

    async def hold() -> None:
        reached.set()
        await asyncio.Event().wait()

    sending = asyncio.ensure_future(world.transport.send(mail("a@example.com"), hold))
    async with asyncio.timeout(10):
        await reached.wait()
    sending.cancel()
    await asyncio.wait({sending})
    assert isinstance(await send(world.transport, "b@example.com"), Accepted)
    assert [recipient for recipient, _ in world.arrived()] == ["b@example.com"]
