"""The main job, by the installed programs: from the stub's queue to its mailbox, over TLS, with a login."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.sender import Sender, run
from tests.support.stub import Stub


def reset(minutes: float, **more: object) -> dict[str, object]:
    expiry = int((datetime.now(UTC) + timedelta(minutes=minutes)).timestamp())
    fields = {"display_name": "Ellie", "intent_id": "aaaaa-bbbbb-ccccc-ddddd", "expiry_time": expiry}
    return {
        "message_template": {"CredentialResetV1": fields},
        "mail_destination": [{"primary": True, "value": "ellie@example.com"}],
        **more,
    }


def a_message(*addresses: str, display_name: str = "Ellie") -> dict[str, object]:
    return {
        "message_template": {"TestMessageV1": {"display_name": display_name}},
        "mail_destination": [{"primary": True, "value": address} for address in addresses],
    }


def unsent(stub: Stub) -> list[str]:
    return [entry["id"] for entry in stub.messages() if "sent_at" not in entry]


def test_a_test_message_and_a_reset_are_mailed_once_and_marked_once(brisk: Stub) -> None:
    """What the queue holds arrives in the mailbox, over TLS and with a login, and is marked as sent."""
    brisk.send_test("ellie")
    brisk.send_reset("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked", 2)
        assert sender.stop() == 0
    assert [mail["subject"] for mail in brisk.mails()] == [
        "Example Identity: Test Message",
        "Example Identity: Credential Reset Link",
    ]
    assert all(envelope["tls_version"] == "TLSv1.3" for envelope in brisk.envelopes())
    assert all(envelope["login"] == "mail-sender" for envelope in brisk.envelopes())
    assert unsent(brisk) == []


def test_a_reset_mail_has_the_headers_and_both_parts_that_people_and_programs_look_for(brisk: Stub) -> None:
    """Names on From and Reply-To, Message-ID from the message's id, Auto-Submitted, the same link in both parts."""
    brisk.queue([reset(55)])
    (identity,) = unsent(brisk)
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
    (mail,) = brisk.mails()
    assert mail["from"] == "Example Identity <idm@example.com>"
    assert mail["reply-to"] == "Example Identity <support@example.com>"
    assert mail["to"] == "ellie@example.com"
    assert mail["message-id"] == f"<{identity}@example.com>"
    assert (mail["mime-version"], mail["auto-submitted"]) == ("1.0", "auto-generated")
    assert abs(mail["date"].datetime - datetime.now(UTC)) < timedelta(minutes=2)
    text, html = (mail.get_body((kind,)) for kind in ("plain", "html"))
    assert text is not None
    assert html is not None
    link = "https://idm.example.com/ui/reset?token=aaaaa-bbbbb-ccccc-ddddd"
    assert link in text.get_content().splitlines()
    assert link in html.get_content()
    said = " ".join(text.get_content().split())
    assert re.search(r"in (55|60|54|59) minutes \(\d+ \w+ \d{4}, \d\d:\d\d UTC\)", said)


def test_links_lead_to_instance_url_however_the_server_is_reached(brisk: Stub) -> None:
    """`instance_url` alone makes the links, not the client config's uri; its path is replaced, its query kept."""
    configs.change(brisk.sender_config, instance_url="https://login.example.org/somewhere?lang=de")
    brisk.queue([reset(55)])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
    text = brisk.mails()[0].as_string()
    assert "https://login.example.org/ui/reset?lang=de&token=aaaaa-bbbbb-ccccc-ddddd" in text
    assert "https://login.example.org/ui/revoke?lang=de&token=aaaaa-bbbbb-ccccc-ddddd" in text
    assert brisk.url not in text


def test_one_refused_recipient_of_three_keeps_nothing_from_the_other_two(brisk: Stub) -> None:
    """One mail for each recipient; the refused one is final, the message is marked once when all are."""
    brisk.refuse("b@example.com")
    brisk.queue([a_message("a@example.com", "b@example.com", "c@example.com")])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
        (failed,) = sender.events("failed")
        assert len(sender.events("marked")) == 1
    assert "550 5.1.1 No such user here" in failed
    assert [envelope["rcpt_to"] for envelope in brisk.envelopes()] == [["a@example.com"], ["c@example.com"]]
    assert unsent(brisk) == []


def test_a_message_whose_recipients_are_all_refused_is_never_marked_nor_tried_again(brisk: Stub) -> None:
    """Nobody got it: the server goes on listing it, and this process goes on ignoring it."""
    brisk.refuse("b@example.com")
    brisk.queue([a_message("b@example.com")])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("failed")
        brisk.send_test("ellie")
        sender.wait_for("marked")
        assert len(sender.events("failed")) == 1
    assert len(unsent(brisk)) == 1


def test_a_transient_refusal_waits_for_its_retry(brisk: Stub) -> None:
    """4xx is not the end: once the relay takes the recipient, the mail arrives; sooner where the operator asks."""
    brisk.refuse("ellie@example.com", 451, "4.7.1 Greylisted, come back")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("deferred")
        (brisk.dir / "refuse.toml").unlink()
        assert run("-m", brisk.sender_config, "queue", "flush").returncode == 0
        sender.wait_for("marked")
    assert len(brisk.mails()) == 1


def test_an_expired_link_is_not_mailed(brisk: Stub) -> None:
    """A dead link helps nobody: it is named, left in the queue, and keeps nothing from the next message."""
    brisk.queue([reset(-5), a_message("ellie@example.com")])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("expired")
        sender.wait_for("marked")
    assert [mail["subject"] for mail in brisk.mails()] == ["Example Identity: Test Message"]
    assert len(unsent(brisk)) == 1


def test_odd_entries_and_unknown_templates_are_named_once_and_hold_up_nobody(brisk: Stub) -> None:
    """The good ones go out around them; each odd one is named once however often it is listed."""
    odd = {"raw": True, "id": "not-a-uuid", "schemas": [], "mail_destination": "nobody"}
    unknown = {**a_message("ellie@example.com"), "message_template": {"WelcomeV1": {"link": "https://secret"}}}
    brisk.queue([odd, a_message("ellie@example.com"), unknown, {**a_message(), "mail_destination": []}])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked")
        brisk.send_test("ellie")
        sender.wait_for("marked", 2)
        assert len(sender.events("malformed_entry")) == 2
        (held,) = sender.events("held")
    assert "welcome_v1" in held
    assert "https://secret" not in sender.log
    assert len(brisk.mails()) == 2
    assert len(unsent(brisk)) == 3


HOSTILE_NAMES = (
    "Eve\r\nBcc: victim@example.com\r\n\r\nowned",
    "Eve =?UTF-8?Q?=0A?=Reply-To: phish@example.org",
    "<script>alert(1)</script><a href='https://evil.example'>click</a>",
    "{{ 7*7 }}{% raw %}",
    ".\r\n.\r\nQUIT\r\n",
    "\u202eevil\u2028\u0000\u0085",
    "x" * 10_000,
)


def test_a_hostile_display_name_makes_a_harmless_mail(brisk: Stub) -> None:
    """No header that we did not write, HTML escaped, a mail of the usual size; and each of them arrives."""
    brisk.queue([a_message("ellie@example.com", display_name=name) for name in HOSTILE_NAMES])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked", len(HOSTILE_NAMES))
    mails = brisk.mails()
    assert len(mails) == len(HOSTILE_NAMES)
    for mail in mails:
        assert mail.keys() == [
            *(
                "Date",
                "From",
                "Reply-To",
                "To",
                "Subject",
                "Message-ID",
                "Auto-Submitted",
                "X-Auto-Response-Suppress",
            ),
            *("Content-Language", "MIME-Version", "Content-Type"),
        ]
        assert mail["reply-to"] == "Example Identity <support@example.com>"
        assert len(mail.as_bytes()) < 10_000
        html = mail.get_body(("html",))
        assert html is not None
        assert "<script" not in html.get_content()
        assert "evil.example" not in html.get_content()
        assert "49" not in mail.as_string().partition("Hello")[2].partition("\n")[0]


def test_two_hundred_messages_drain_in_one_poll(brisk: Stub) -> None:
    """Kanidm's own sender hangs at 34; here each is mailed once and marked once before the next poll."""
    configs.change(brisk.sender_config, schedule="@yearly")
    brisk.queue([a_message(f"u{number}@example.com") for number in range(200)])
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked", 200, seconds=60)
        assert sender.stop() == 0
        assert len(sender.events("sent")) == len(sender.events("marked")) == 200
    recipients = [envelope["rcpt_to"][0] for envelope in brisk.envelopes()]
    assert sorted(recipients) == sorted(f"u{number}@example.com" for number in range(200))
    assert unsent(brisk) == []


def drains(stub: Stub, count: int, seconds: float) -> None:
    """Check that a queue whose `_ready` answers 500 is mailed and marked, each message once."""
    configs.change(stub.sender_config, schedule="* * * * * *")
    stub.queue([a_message(f"u{number}@example.com") for number in range(count)])
    assert stub.request("GET", "/scim/v1/Message/_ready").status_code == 500
    with Sender(stub.client_config, stub.sender_config) as sender:
        sender.wait_for("marked", count, seconds)
        assert len(sender.events("sent")) == count
        assert sender.stop() == 0
    assert len({envelope["rcpt_to"][0] for envelope in stub.envelopes()}) == count
    assert unsent(stub) == []


def test_a_queue_that_is_not_listed_in_one_answer_drains(tmp_path: Path) -> None:
    """Where `_ready` answers 500, as for sheer length, the queue is read another way, and drains all the same."""
    rules = tmp_path / "misbehave.toml"
    rules.write_text('[[api]]\ncall = "ready"\nstatus = 500\n')
    with Stub(tmp_path / "stub", "--misbehave", str(rules)) as stub:
        drains(stub, 300, seconds=60)


@pytest.mark.soak
@pytest.mark.timeout(1500)
def test_seventeen_thousand_messages_drain(tmp_path: Path) -> None:
    """The same with a queue that is so long."""
    with Stub(tmp_path / "stub") as stub:
        drains(stub, 17_000, seconds=1200)


@pytest.mark.parametrize("port", ["smtps", "smtp"])
def test_a_port_whose_tls_nobody_named_is_found_out(brisk: Stub, port: str) -> None:
    """`host:port` with an unknown port: TLS or STARTTLS is found out on the first connection, and said."""
    configs.change(brisk.sender_config, mail_relay=f"localhost:{brisk.ports[port]}")
    brisk.send_test("ellie")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("marked", 2)
        (found,) = sender.events("relay_security")
    assert ("TLS" if port == "smtps" else "STARTTLS") in found
    assert [envelope["listener"] for envelope in brisk.envelopes()] == [port, port]
