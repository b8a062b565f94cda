"""An identity server, or what stands in for one, that answers with malice: a trouble in words, within bounds."""

import gzip
import json
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr

from mail_sender import address
from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from tests.support import configs
from tests.support.scripted_server import Answer, Respond, ScriptedServer
from tests.support.sender import Sender, run

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
READY = "/scim/v1/Message/_ready"
GROUPS = ["idm_message_senders@localhost"]


def account(name: object = "mail-sender") -> Answer:
    """Return /v1/self's answer."""
    return Answer(body=json.dumps({"youare": {"attrs": {"name": [name], "memberof": GROUPS}}}).encode())


def server_with(ready: Callable[[], Answer], self_: Answer | None = None) -> Respond:
    """Return a server in its right mind but for its list, or for what it says of the account."""

    def respond(_method: str, path: str) -> Answer:
        if path == "/v1/self":
            return self_ or account()
        return ready() if path == READY else Answer(404)

    return respond


def nothing_ready() -> Answer:
    """Return an empty list."""
    return Answer(body=b'{"resources": []}')


@pytest.fixture
async def source() -> AsyncIterator[Callable[[ScriptedServer], KanidmSource]]:
    """Give a maker of sources."""
    made: list[KanidmSource] = []

    def make(server: ScriptedServer) -> KanidmSource:
        made.append(KanidmSource(SourceConfig(server.url, SecretStr("a-token"))))
        return made[-1]

    yield make
    for each in made:
        await each.close()


Make = Callable[[ScriptedServer], KanidmSource]


@pytest.mark.parametrize("name", ["\ud800", "a\nb", "../../x", "x" * 10_000, "?", "#", "", 7, None, []])
async def test_an_account_name_that_is_none_is_no_crash(source: Make, name: object) -> None:
    """Whatever stands there, `standing` answers or raises `ServerTrouble`."""
    with ScriptedServer(server_with(nothing_ready, account(name))) as server:
        try:
            await source(server).standing()
        except ServerFault as fault:
            assert fault.detail.isprintable()  # noqa: PT017 - either outcome is right


async def test_an_account_name_that_is_none_does_not_end_the_sender(tmp_path: Path) -> None:
    """It is said, and the sender keeps trying; `-t` ends without a traceback."""
    with ScriptedServer(server_with(nothing_ready, account("\ud800"))) as server:
        client, config = configs.client(tmp_path, uri=server.url), configs.sender(tmp_path, mail_relay="localhost:1")
        with Sender(client, config) as sender:
            sender.wait_for("server_down")
            assert sender.stop() == 0
        assert "Traceback" not in run("-c", client, "-m", config, "-t", "you@example.com").stderr


@pytest.mark.parametrize("encoding", ["gzip, gzip", "gzip, gzip, gzip", "deflate, gzip"])
async def test_what_is_compressed_more_than_once_is_refused(source: Make, encoding: str) -> None:
    """3 kB of it can hold 2 GB: nobody who means well answers so."""
    body = gzip.compress(gzip.compress(nothing_ready().body))
    answer = Answer(body=body, headers={"content-encoding": encoding})
    with ScriptedServer(server_with(lambda: answer)) as server, pytest.raises(ServerFault):
        await source(server).list_ready(NOW)


async def test_a_compressed_list_is_measured_unpacked(source: Make) -> None:
    """64 MiB are the limit, not what went over the wire."""
    answer = Answer(body=gzip.compress(bytes(65 * 2**20), 1), headers={"content-encoding": "gzip"})
    with ScriptedServer(server_with(lambda: answer)) as server, pytest.raises(ServerFault):
        await source(server).list_ready(NOW)


async def test_pages_without_an_end_are_not_read_for_ever(source: Make) -> None:
    """A server that promises a thousand million entries and gives none is asked a few times, not a thousand."""

    def respond(_method: str, path: str) -> Answer:
        if "startIndex" not in path:
            return Answer(500, b'"backend"')
        return Answer(body=b'{"totalResults": 1000000000, "resources": []}')

    with ScriptedServer(respond) as server:
        try:
            await source(server).list_ready(NOW)
        except ServerFault as fault:
            assert fault.kind in {ServerFaultKind.ERROR, ServerFaultKind.NOT_KANIDM}  # noqa: PT017 - either outcome is right
        assert len(server.requests) < 20


async def test_odd_entries_that_change_at_each_poll_do_not_flood_the_log(tmp_path: Path) -> None:
    """Some are named and the rest are counted, however many there are."""
    polls = [0]

    def ready() -> Answer:
        polls[0] += 1
        return Answer(body=json.dumps({"resources": [{"id": f"{polls[0]}-{n}"} for n in range(2_000)]}).encode())

    with ScriptedServer(server_with(ready)) as server:
        config = configs.sender(tmp_path, mail_relay="localhost:1", schedule="* * * * * *")
        with Sender(configs.client(tmp_path, uri=server.url), config) as sender:
            sender.wait_for("malformed_entry")
            assert sender.stop() == 0
    assert len(sender.events("malformed_entry")) <= 200 * polls[0]


async def test_cookies_are_not_kept(source: Make) -> None:
    """A session that somebody in between sets is none of ours, and a jar of them only grows."""
    seen: list[str] = []
    count = [0]

    def ready() -> Answer:
        count[0] += 1
        return Answer(body=b'{"resources": []}', headers={"set-cookie": f"c{count[0]}=x"})

    with ScriptedServer(server_with(ready)) as server:
        made = source(server)
        for _ in range(5):
            await made.list_ready(NOW)
        seen += [cookie.name for cookie in made._client.cookies.jar]
    assert seen == []


@pytest.mark.parametrize("cut", range(0, 1024, 64))
async def test_a_list_cut_at_any_place_is_a_trouble_and_no_message(source: Make, cut: int) -> None:
    """Half a list is no list, even where it happens to be JSON's beginning."""
    whole = json.dumps({"resources": [{"id": str(number)} for number in range(200)]}).encode()
    answer = Answer(body=whole[:cut])
    with ScriptedServer(server_with(lambda: answer)) as server, pytest.raises(ServerFault) as caught:
        await source(server).list_ready(NOW)
    assert caught.value.kind is ServerFaultKind.NOT_KANIDM


def test_an_address_of_any_length_is_a_short_word_of_the_log() -> None:
    """Two million octets of domain are no address, and no log line either."""
    assert len(address.mask("a@" + "b." * 1_000_000)) < 300
