"""An identity server that fails, or a token that will not do: named once, with the cure; no mail goes out meanwhile."""

import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.connect_proxy import ConnectProxy
from tests.support.scripted_server import Answer, Respond, ScriptedServer
from tests.support.sender import Sender, run
from tests.support.stub import Stub

EMPTY = Answer(body=b'{"schemas":[],"totalResults":0,"resources":[]}')


def like_kanidm(groups: tuple[str, ...] = ("idm_message_senders",), /, **paths: Answer) -> Respond:
    """Answer as a Kanidm with an empty queue would, except for some paths (named by a part of them)."""
    attributes = {"name": ["carrier"], "memberof": [f"{group}@localhost" for group in groups]}
    standing = Answer(body=json.dumps({"youare": {"attrs": attributes}}).encode())
    access = Answer(body=b'{"id":"x","extAccessCheck":{"modifyPresent":{"Allow":[]}}}')
    usual = {"self": standing, "Entry": access, "ready": EMPTY}

    def respond(_method: str, path: str) -> Answer:
        return next((answer for part, answer in {**usual, **paths}.items() if part in path), Answer(404))

    return respond


@contextmanager
def sending(server: ScriptedServer, folder: Path, **keys: object) -> Iterator[Sender]:
    """Run a sender against a scripted server."""
    client = configs.client(folder, uri=server.url, **keys)
    with Sender(client, configs.sender(folder, schedule="* * * * * *")) as sender:
        yield sender


@pytest.mark.parametrize(
    ("role", "kind", "cure"),
    [
        (
            "readonly",
            "token_read_only",
            "kanidm service-account api-token generate mail-sender mail-sender --readwrite",
        ),
        ("outsider", "token_without_group", "kanidm group add-members idm_message_senders outsider"),
        ("expired", "token_refused", "kanidm service-account api-token generate"),
    ],
)
def test_a_token_that_will_not_do_is_named_with_its_cure_before_any_mail(
    brisk: Stub, role: str, kind: str, cure: str
) -> None:
    """Mail under such a token would never be marked: nothing is sent, and the command that mends it is shown."""
    configs.change(brisk.sender_config, token=brisk.tokens[role])
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config, "-d") as sender:
        (line,) = sender.wait_for("server_down")
        # It checks again at each poll: the moment the server sees another fault, that one is said.
        brisk.kill()
        _, changed = sender.wait_for("server_down", 2)
        assert sender.stop() == 0
    assert f"kind={kind}" in line
    assert cure in line
    assert "kind=server_unreachable" in changed
    assert brisk.mails() == []
    assert brisk.tokens[role] not in sender.log


def test_a_group_given_later_is_noticed_without_a_restart(tmp_path: Path) -> None:
    """The standing is asked for at each poll until it is good."""
    groups: list[str] = []

    def respond(method: str, path: str) -> Answer:
        return like_kanidm(tuple(groups))(method, path)

    with ScriptedServer(respond) as server, sending(server, tmp_path) as sender:
        sender.wait_for("server_down")
        groups.append("idm_message_senders")
        sender.wait_for("server_ready")
        sender.wait_for("server_up")


def test_more_groups_than_needed_are_named(tmp_path: Path) -> None:
    """A mail token that is also an administrator's is worth a warning; what every account is in is not."""
    groups = ("idm_message_senders", "idm_all_accounts", "idm_high_privilege", "idm_admins")
    with ScriptedServer(like_kanidm(groups)) as server, sending(server, tmp_path) as sender:
        (line,) = sender.wait_for("excess_groups")
    assert "groups=idm_admins " in line


def test_an_unreachable_server_is_said_once_and_tried_on(stub: Stub, tmp_path: Path) -> None:
    """Started before its server, the sender waits for it; gone and come back, it says so once each."""
    configs.change(stub.sender_config, schedule="* * * * * *")
    stub.send_test("ellie")
    port = stub.ports["api"]
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        nowhere = f"https://localhost:{taken.getsockname()[1]}"
    client = configs.change(stub.client_config, uri=nowhere)
    with Sender(client, stub.sender_config) as sender:
        (line,) = sender.wait_for("server_down")
        assert sender.stop() == 0
    assert "kind=server_unreachable" in line
    assert "connection refused" in line
    assert str(port) not in line


def test_a_server_that_comes_back_is_said_and_its_mail_goes_out(brisk: Stub) -> None:
    """Down, up, and the message that was queued before is mailed, without anybody's help."""
    brisk.send_test("ellie")
    ports = dict(brisk.ports)
    brisk.stop()
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_down")
        flags = [
            text
            for name, port in ports.items()
            for text in (f"--{name}-port" if name != "api" else "--port", str(port))
        ]
        with Stub(brisk.dir, *flags) as again:
            sender.wait_for("marked")
            assert len(sender.events("server_up")) == 1
            assert len(again.mails()) == 1


@pytest.mark.parametrize(
    ("names", "days", "trusted", "said"),
    [
        (("localhost",), 30, False, "its CA is not trusted here"),
        (("other.example",), 30, True, "another name than localhost"),
        (("localhost",), -1, True, "expired"),
    ],
)
def test_a_certificate_that_does_not_hold_is_reported_and_the_token_stays_here(
    tmp_path: Path, authority: Authority, names: tuple[str, ...], days: int, trusted: bool, said: str
) -> None:
    """Untrusted, for another name, expired: which of them, and which key mends it."""
    with ScriptedServer(like_kanidm(), authority.server(*names, days=days)) as server:
        keys = {"ca_path": authority.pem} if trusted else {}
        with sending(server, tmp_path, **keys) as sender:
            (line,) = sender.wait_for("server_down")
    assert "kind=server_untrusted" in line
    assert said in line
    assert server.requests == []


def test_verify_ca_false_is_obeyed_with_a_warning(tmp_path: Path, authority: Authority) -> None:
    """Kanidm's switch works as there, and is not passed over in silence."""
    with (
        ScriptedServer(like_kanidm(), authority.server("other.example")) as server,
        sending(server, tmp_path, verify_ca=False) as sender,
    ):
        sender.wait_for("server_ready")
    assert any("verify_ca = false" in line for line in sender.events("config_warning"))


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"<html>please log in</html>", {"content-type": "text/html"}),
        Answer(404, b"Route not found", {"content-type": "text/plain"}),
        Answer(302, b"", {"location": "https://login.example.com/"}),
        Answer(200, b'{"hello": "world"}'),
        Answer(200, b"[" * 100_000),
        Answer(401, b"<html>please log in</html>", {"content-type": "text/html"}),
        Answer(403, b'{"message": "Forbidden"}'),
    ],
    ids=["html", "404", "redirect", "other json", "nested", "401", "403"],
)
@pytest.mark.parametrize("path", ["self", "ready"])
def test_what_is_not_kanidm_is_said_to_be_none(tmp_path: Path, path: str, answer: Answer) -> None:
    """A login page, a proxy, another server: named as such, once, and tried on; a redirect gets no token."""
    with ScriptedServer(like_kanidm(**{path: answer})) as server, sending(server, tmp_path) as sender:
        (line,) = sender.wait_for("server_down")
    assert "kind=server_not_kanidm" in line
    assert "not Kanidm: a proxy in front?" in line
    assert "Traceback" not in sender.log
    assert not any("login" in path for _, path in server.requests)


def entry(**changes: object) -> dict[str, object]:
    """Return an entry of the queue, with changes."""
    return {
        "schemas": [],
        "id": "ae9755fd-8069-443f-b635-f23eca310227",
        "send_after": "2026-01-01T00:00:00Z",
        "delete_after": "2099-01-01T00:00:00Z",
        "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
        "message_template": {"TestMessageV1": {"display_name": "Ellie"}},
        **changes,
    }


def test_a_list_of_junk_hides_no_mail_and_stops_nothing(stub: Stub, tmp_path: Path) -> None:
    """Half a million empty entries, a good one behind them, and strange recipients beside a good one."""
    good = entry(mail_destination=[{"value": None}, {"value": "ellie@example.com"}, {"value": ""}])
    body = f'{{"resources": [{"{}," * 480_000}{json.dumps(good)}]}}'.encode()
    respond = like_kanidm(ready=Answer(body=body), _sent=Answer(body=b"null"))
    with (
        ScriptedServer(respond) as server,
        Sender(configs.client(tmp_path, uri=server.url), stub.sender_config) as sender,
    ):
        sender.wait_for("marked")
        assert sender.stop() == 0
    lines = sender.events("malformed_entry")
    assert len(lines) == 2
    assert any("mail_destination.0" in line and "the other recipients get their mail" in line for line in lines)
    assert "more=479999" in sender.events("malformed_entries")[0]
    assert [mail["To"] for mail in stub.mails()] == ["ellie@example.com"]


def test_a_date_two_hours_ahead_expires_no_link(stub: Stub, tmp_path: Path) -> None:
    """A proxy's clock is wrong, ours and the server's are right: the mail goes out, and both clocks are named."""
    now = datetime.now(UTC)
    reset = {"display_name": "Ellie", "intent_id": "a-secret", "expiry_time": int(now.timestamp()) + 3600}
    queued = (now - timedelta(seconds=10)).isoformat()
    fresh = entry(send_after=queued, message_template={"CredentialResetV1": reset})
    date = format_datetime(now + timedelta(hours=2), usegmt=True)
    ready = Answer(body=json.dumps({"resources": [fresh]}).encode(), headers={"date": date})
    respond = like_kanidm(ready=ready, _sent=Answer(body=b"null"))
    with (
        ScriptedServer(respond) as server,
        Sender(configs.client(tmp_path, uri=server.url), stub.sender_config) as sender,
    ):
        sender.wait_for("marked")
        assert sender.stop() == 0
    assert "the earlier time is used meanwhile" in sender.events("clock_down")[0]
    assert len(stub.mails()) == 1


def test_retry_after_goes_over_the_schedule(tmp_path: Path) -> None:
    """503 with Retry-After: the server is left alone although the schedule fires every second."""
    busy = Answer(503, b"busy", {"retry-after": "120"})
    with ScriptedServer(like_kanidm(ready=busy)) as server, sending(server, tmp_path) as sender:
        (line,) = sender.wait_for("server_down")
        assert "120 s" in line
        assert sender.stop() == 0
    assert [path for _, path in server.requests if path.endswith("_ready")] == ["/scim/v1/Message/_ready"]


@pytest.mark.parametrize(
    "failures",
    [
        [Answer(500, b'"backend"'), Answer(200, b"")],
        pytest.param([Answer(503), Answer(200, b""), Answer(409, b"null"), Answer(429)], marks=pytest.mark.soak),
    ],
    ids=["two", "four, with growing waits"],
)
def test_a_mark_that_fails_is_repeated_and_never_causes_a_second_mail(
    stub: Stub, tmp_path: Path, failures: list[Answer]
) -> None:
    """The relay has the mail: whatever the server says to the mark, there is one mail, and one mark in the end."""
    configs.change(stub.sender_config, schedule="* * * * * *")
    ready = Answer(body=json.dumps({"schemas": [], "totalResults": 1, "resources": [entry()]}).encode())
    marks = [*failures]

    def respond(method: str, path: str) -> Answer:
        if path.endswith("/_sent"):
            return marks.pop(0) if marks else Answer(200, b"null")
        return like_kanidm(ready=ready)(method, path)

    with ScriptedServer(respond) as server:
        client = configs.client(tmp_path, uri=server.url)
        with Sender(client, stub.sender_config) as sender:
            sender.wait_for("marked")
            assert sender.stop() == 0
        assert len(sender.events("sent")) == 1
    assert len(stub.mails()) == 1
    assert [method for method, path in server.requests if path.endswith("/_sent")] == ["POST"] * (len(failures) + 1)


def test_https_proxy_and_no_proxy_count_as_in_kanidms_client(brisk: Stub) -> None:
    """The server is reached through the proxy that the environment names, unless it is excepted."""
    with ConnectProxy() as proxy:
        for no_proxy, tunnels in (("localhost", []), ("", [f"localhost:{brisk.ports['api']}"])):
            env = {"HTTPS_PROXY": proxy.url, "NO_PROXY": no_proxy, "no_proxy": no_proxy}
            with Sender(brisk.client_config, brisk.sender_config, env=env) as sender:
                sender.wait_for("server_ready")
            assert sorted(set(proxy.targets)) == tunnels


@pytest.mark.parametrize("proxy", ["::::", "socks5://127.0.0.1:1080", "http://user:a-secret@:99999999"])
def test_a_proxy_that_cannot_be_used_is_named_without_its_password(stub: Stub, proxy: str) -> None:
    """The environment is configuration, too: a sentence and 78."""
    done = run("-c", stub.client_config, "-m", stub.sender_config, env={"HTTPS_PROXY": proxy, "NO_PROXY": ""})
    assert done.returncode == 78
    assert "HTTPS_PROXY" in done.stderr
    assert "a-secret" not in done.stderr


def test_all_proxy_and_netrc_have_no_say(stub: Stub, tmp_path: Path) -> None:
    """Neither a SOCKS proxy for everything nor a login file of the user's belongs to a sidecar."""
    env = {"ALL_PROXY": "socks5://127.0.0.1:1", "HOME": str(tmp_path)}
    (tmp_path / ".netrc").write_text("machine localhost login x password y\n")
    done = run("-c", stub.client_config, "-m", stub.sender_config, "-t", "you@example.com", env=env)
    assert done.returncode == 0
    assert "may read the queue" in done.stdout
