"""An identity server, or what stands in for one, that answers with malice: a fault in words, within bounds."""

import json
from collections.abc import Callable
from pathlib import Path

from mail_sender.names import address
from tests.support import configs
from tests.support.scripted_server import Answer, Respond, ScriptedServer
from tests.support.sender import Sender, run

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


async def test_an_account_name_that_is_none_does_not_end_the_sender(tmp_path: Path) -> None:
    """It is said, and the sender keeps trying; `-t` ends without a traceback."""
    with ScriptedServer(server_with(nothing_ready, account("\ud800"))) as server:
        client, config = configs.client(tmp_path, uri=server.url), configs.sender(tmp_path, mail_relay="localhost:1")
        with Sender(client, config) as sender:
            sender.wait_for("server_down")
            assert sender.stop() == 0
        assert "Traceback" not in run("-c", client, "-m", config, "-t", "you@example.com").stderr


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


def test_an_address_of_any_length_is_a_short_word_of_the_log() -> None:
    """Two million octets of domain are no address, and no log line either."""
    assert len(address.mask("a@" + "b." * 1_000_000)) < 300
