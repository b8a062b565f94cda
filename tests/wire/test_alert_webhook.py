"""One alert to a webhook: what arrives there, and what is made of each answer, over real TLS."""

import json
import socket
from dataclasses import replace
from pathlib import Path

import pytest

from mail_sender.names.secret import Secret
from mail_sender.observe.alerts import webhook
from mail_sender.observe.alerts.alert import Alert, Origin, Severity
from mail_sender.observe.alerts.config import AlertConfig, Format
from mail_sender.observe.alerts.receiver import NotDelivered
from mail_sender.observe.alerts.webhook import Webhook
from tests.support.certificates import Authority
from tests.support.connect_proxy import ConnectProxy
from tests.support.samples import MINUTE, NOW
from tests.support.scripted_server import Answer, ScriptedServer

PATH = "/services/T0K3NSPACE/B0DYB0DY/x9Zq-secret-part"
PASSWORD = "Bearer s3cr3t-0f-the-header"
ALERT = Alert(
    "relay_down", "firing", Severity.CRITICAL, NOW, NOW + 5 * MINUTE, "the relay <is> down & out", "start it", 3
)
OVER = Alert("relay_down", "resolved", Severity.CRITICAL, NOW, NOW + 5 * MINUTE, "over after 5 min", "nothing", 3)
ORIGIN = Origin("https://idm.example.com", "host1")


def config(url: str, authority: Authority, form: Format = "json") -> AlertConfig:
    """Return the configuration of a webhook with secrets wherever there may be one."""
    headers = (("Authorization", Secret(PASSWORD)),)
    return AlertConfig(url=Secret(f"{url}{PATH}"), format=form, headers=headers, ca_path=authority.pem)


async def deliver(
    answer: Answer, authority: Authority, alert: Alert = ALERT, form: Format = "json"
) -> ScriptedServer:
    """Deliver an alert to a server that answers like that, and return the server."""
    with ScriptedServer(lambda *_: answer, authority.server()) as server:
        said = await Webhook(config(server.url, authority, form), ORIGIN).deliver(alert)
        assert said.startswith("200")
    return server


async def fault(answer: Answer, authority: Authority) -> NotDelivered:
    """Return why a server that answers like that has not taken an alert."""
    with ScriptedServer(lambda *_: answer, authority.server()) as server, pytest.raises(NotDelivered) as caught:
        await Webhook(config(server.url, authority), ORIGIN).deliver(ALERT)
    assert len(server.requests) == 1
    return caught.value


async def test_the_alert_arrives_as_json_with_the_headers(authority: Authority) -> None:
    """As docs/alerts.md has it."""
    server = await deliver(Answer(), authority)
    assert server.requests == [("POST", PATH)]
    ((headers, body),) = server.posted
    assert (headers["content-type"], headers["authorization"]) == ("application/json", PASSWORD)
    assert headers["user-agent"].startswith("mail-sender/")
    assert json.loads(body) == {
        "version": 1, "status": "firing", "key": "relay_down", "severity": "critical", "count": 3,
        "summary": "the relay <is> down & out", "advice": "start it", "since": "2026-11-21T12:00:00+00:00",
        "at": "2026-11-21T12:05:00+00:00", "instance": "https://idm.example.com", "host": "host1",
    }  # fmt: skip


async def test_slack_gets_a_text_in_which_nothing_is_a_link(authority: Authority) -> None:
    """Slack, Mattermost and others read `text`."""
    ((_, body),) = (await deliver(Answer(), authority, form="slack")).posted
    assert json.loads(body) == {
        "text": "[CRITICAL] mail-sender of https://idm.example.com: the relay &lt;is&gt; down &amp; out\n"
        "What to do: start it\nSince 2026-11-21 12:00 UTC, on host1"
    }


async def test_ntfy_gets_a_text_with_title_priority_and_tags(authority: Authority) -> None:
    """And a quiet one when it is over."""
    ((headers, body),) = (await deliver(Answer(), authority, form="ntfy")).posted
    assert b"What to do: start it" in body
    wanted = ("[CRITICAL] mail-sender: relay_down", "urgent", "rotating_light")
    assert tuple(headers[name] for name in ("title", "priority", "tags")) == wanted
    ((headers, body),) = (await deliver(Answer(), authority, OVER, form="ntfy")).posted
    assert (headers["priority"], headers["tags"]) == ("default", "white_check_mark")
    assert b"What to do" not in body


async def test_alertmanager_gets_labels_that_stay_and_an_end(authority: Authority) -> None:
    """What is over ends now; what is not, a little after it would be repeated."""
    found = []
    for alert in (ALERT, OVER):
        ((_, body),) = (await deliver(Answer(), authority, alert, form="alertmanager")).posted
        found += json.loads(body)
    assert found[0]["labels"] == found[1]["labels"]
    assert found[0]["labels"]["alertname"] == "MailSenderRelayDown"
    assert found[0]["annotations"] == {"summary": ALERT.summary, "description": "start it"}
    assert [one["endsAt"] for one in found] == ["2026-11-22T12:10:00+00:00", "2026-11-21T12:05:00+00:00"]


REFUSALS = {
    "404": (Answer(404, b"no_service"), "localhost answers 404: no_service", "check [alert] url"),
    "500": (Answer(500, b"oops"), "answers 500: oops", "passes by itself"),
    "redirect": (Answer(302, headers={"location": "https://evil.example/"}), "a redirect, which is not followed", ""),
    "quoted": (Answer(400, f"bad {PATH} {PASSWORD}".encode()), "answers 400: bad *** ***", ""),
    "binary": (Answer(400, b"\x1b[31m\xff\0" * 9_000), "answers 400: ", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
async def test_a_refusal_is_said_in_one_line_without_a_secret(authority: Authority, name: str) -> None:
    """Status and words, and what to do; the host is all that is shown of the URL."""
    answer, detail, advice = REFUSALS[name]
    error = await fault(answer, authority)
    assert detail in error.detail
    assert advice in error.advice
    assert error.is_answered
    assert str(error).isprintable()
    assert len(error.detail) < 300
    assert not any(secret in str(error) for secret in ("T0K3N", "B0DY", "x9Zq", "s3cr3t", "evil"))


async def test_a_receiver_that_asks_for_a_pause_is_heard(authority: Authority) -> None:
    """429, and Retry-After."""
    assert (await fault(Answer(429, headers={"retry-after": "120"}), authority)).retry_after == 120


async def test_a_body_that_never_ends_is_not_waited_for(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The status says that the alert was taken."""
    monkeypatch.setattr(webhook, "_BODY_SECONDS", 0.1)
    await deliver(Answer(body=b"x" * 10_000, missing=1), authority)
    await deliver(Answer(body=b"x", missing=1), authority)


async def test_a_receiver_that_hangs_is_left_at_the_deadline(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It cannot hold up the next turn for longer, and is not called untrusted."""
    monkeypatch.setattr(webhook, "SECONDS", 0.5)
    with ScriptedServer(lambda *_: Answer(hang=True), authority.server()) as server:
        assert "localhost cannot be reached: no answer in time" in await _refused(config(server.url, authority))


async def test_a_proxy_makes_a_tunnel_and_sees_no_secret(authority: Authority) -> None:
    """The name is verified at the end of the tunnel; a proxy that is gone is named, without its login."""
    with ScriptedServer(lambda *_: Answer(), authority.server()) as server:
        of = config(server.url, authority)
        with ConnectProxy() as proxy:
            assert (await Webhook(replace(of, proxy=Secret(proxy.url)), ORIGIN).deliver(ALERT)).startswith("200")
        assert proxy.targets == [server.url.removeprefix("https://")]
        gone = proxy.url.replace("//", "//me:pa55@")
        said = await _refused(replace(of, proxy=Secret(gone)))
    assert "the webhook at localhost (through the proxy of the environment) cannot be reached: " in said
    assert "pa55" not in said


async def test_what_the_network_does_is_said_without_the_url(authority: Authority, tmp_path: Path) -> None:
    """Nobody there, a certificate of somebody else, a CA that is gone."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        closed = f"https://localhost:{taken.getsockname()[1]}"
        found = [await _refused(config(closed, authority))]
    (tmp_path / "other").mkdir()
    other = Authority.make(tmp_path / "other")
    with ScriptedServer(lambda *_: Answer(), other.server()) as server:
        found.append(await _refused(config(server.url, authority)))
    (tmp_path / "ca.pem").unlink()
    found.append(await _refused(config(closed, authority)))
    for text, said in zip(
        found, ("connection refused", "its CA is not trusted", "correct [alert] ca_path"), strict=True
    ):
        assert said in text
        assert "x9Zq" not in text


async def _refused(of: AlertConfig) -> str:
    with pytest.raises(NotDelivered) as caught:
        await Webhook(of, ORIGIN).deliver(ALERT)
    return str(caught.value)
