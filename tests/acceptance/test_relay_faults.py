"""A relay that fails: one line says which stage failed and what to try; nothing in clear, nothing marked.

The test mails of `-t` are sent by this process, and some by the installed program.
"""

import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.scripted_relay import CUT, HANG, ScriptedRelay
from tests.support.sender import Sender, run, run_here
from tests.support.stub import Stub

Make = Callable[[Authority], ScriptedRelay]


def try_mail(stub: Stub, relay: str, **table: object) -> tuple[int, str]:
    """Send a `-t` mail through a relay of the test's own; return exit code and the line that says what happened."""
    sender = configs.change(stub.sender_config, mail_relay=relay, mail_connect_timeout_seconds=2, relay=table)
    done = run_here("-s", "-c", stub.client_config, "-m", sender, "-t", "you@example.com")
    assert "Traceback" not in done.stderr
    assert "may read the queue" in done.stdout  # the relay's fault is not the server's
    return done.returncode, done.stdout.splitlines()[1]


def test_a_host_that_does_not_exist_is_named(stub: Stub) -> None:
    """Stage resolve: the name, and whose view of it counts."""
    code, line = try_mail(stub, "smtps://relay.invalid")
    assert code == 75
    assert line.startswith("Not sent: resolve: ")
    assert "relay.invalid" in line


def test_a_refused_connection_is_reported_with_firewall_and_ports(stub: Stub) -> None:
    """Stage connect: nothing listens, or something blocks."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        code, line = try_mail(stub, f"smtps://localhost:{taken.getsockname()[1]}")
    assert code == 75
    assert "connect: no connection to" in line
    assert "firewall" in line
    assert "2525" in line


@pytest.mark.parametrize(
    ("make", "scheme", "code", "said"),
    [
        (
            lambda ca: ScriptedRelay(tls=ca.server("other.example")),
            "smtps",
            1,
            ["Not sent: tls: ", "another name"],
        ),
        (lambda ca: ScriptedRelay(tls=ca.server(days=-1)), "smtps", 1, ["Not sent: tls: ", "expired"]),
        (lambda ca: ScriptedRelay(starttls=ca.server(days=-1)), "smtp", 1, ["Not sent: starttls: ", "expired"]),
        (lambda _: ScriptedRelay(), "smtps", 1, ["Not sent: tls: ", "does not speak TLS", "smtp://localhost:"]),
        (
            lambda _: ScriptedRelay(),
            "smtp",
            1,
            ["Not sent: starttls: ", "does not offer STARTTLS", "smtps://localhost:"],
        ),
        (
            lambda ca: ScriptedRelay(tls=ca.server()),
            "smtp",
            75,
            ["Not sent: banner: ", "no greeting", "smtps://localhost:"],
        ),
        (
            lambda ca: ScriptedRelay({"AUTH": "535 5.7.8 bad"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: auth: ", "535", "password"],
        ),
        (
            lambda ca: ScriptedRelay({"AUTH": "454 4.7.0 later"}, tls=ca.server()),
            "smtps",
            75,
            ["Not sent: auth: ", "454"],
        ),
        (
            lambda ca: ScriptedRelay({"EHLO": "250 relay.example"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: auth: ", "no AUTH at all", "remove mail_username"],
        ),
        (
            lambda ca: ScriptedRelay({"EHLO": "250-r\r\n250 AUTH XOAUTH2 \udcff\x1b[31m"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: auth: it offers XOAUTH2 alone, but we need PLAIN, LOGIN or CRAM-MD5", "set [relay.oauth]"],
        ),
        (
            lambda ca: ScriptedRelay({"BANNER": "554 no"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: banner: ", "554 no"],
        ),
        (
            lambda ca: ScriptedRelay({"BANNER": "421 busy"}, tls=ca.server()),
            "smtps",
            75,
            ["Not sent: banner: ", "421 busy"],
        ),
        (
            lambda ca: ScriptedRelay({"EHLO": "550 who?"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: ehlo: ", "local_name"],
        ),
        (
            lambda ca: ScriptedRelay({"MAIL": "553 5.7.1 not yours"}, tls=ca.server()),
            "smtps",
            1,
            ["Not sent: mail: ", "may not send as mail_from_address"],
        ),
        (
            lambda ca: ScriptedRelay({"RCPT": CUT}, tls=ca.server()),
            "smtps",
            75,
            ["Not sent: rcpt: ", "connection cut"],
        ),
        (
            lambda ca: ScriptedRelay({"EHLO": "nonsense"}, tls=ca.server()),
            "smtps",
            75,
            ["Not sent: ehlo: ", "not SMTP"],
        ),
    ],
    ids=[
        "wrong name",
        "expired",
        "expired behind STARTTLS",
        "plain text on a TLS port",
        "STARTTLS missing",
        "TLS on a STARTTLS port",
        "wrong password",
        "login throttled",
        "no login offered",
        "XOAUTH2 alone",
        "banner 554",
        "banner 421",
        "EHLO refused",
        "From refused",
        "cut at RCPT",
        "not SMTP",
    ],
)
def test_each_stage_says_what_failed_and_what_to_try(
    stub: Stub, authority: Authority, make: Make, scheme: str, code: int, said: list[str]
) -> None:
    """One line: the stage, the cause, the cure; 1 where the relay says no, 75 where it may pass."""
    with make(authority) as relay:
        found, line = try_mail(stub, f"{scheme}://localhost:{relay.port}", ca_path=authority.pem)
    assert [part for part in said if part not in line] == []
    assert found == code
    assert relay.mails == []


def test_an_untrusted_certificate_is_reported_and_nothing_is_sent(stub: Stub, authority: Authority) -> None:
    """The relay's CA is not ours: neither login nor mail leaves, and the key that mends it is named."""
    with ScriptedRelay(tls=authority.server()) as relay:
        code, line = try_mail(stub, f"smtps://localhost:{relay.port}")
    assert code == 1
    assert "not trusted" in line
    assert "[relay] ca_path" in line
    assert relay.commands == []


def test_nothing_but_ehlo_is_ever_said_in_clear(stub: Stub, authority: Authority) -> None:
    """Where STARTTLS is missing neither login nor mail leaves; where it is there both come after it."""
    with ScriptedRelay() as relay:
        try_mail(stub, f"smtp://localhost:{relay.port}", ca_path=authority.pem)
    assert [line.split()[0] for line in relay.in_clear] == [b"EHLO"]
    with ScriptedRelay(starttls=authority.server()) as relay:
        code, _ = try_mail(stub, f"smtp://localhost:{relay.port}", ca_path=authority.pem)
    assert code == 0
    assert [line.split()[0] for line in relay.in_clear] == [b"EHLO", b"STARTTLS"]


def test_a_wrong_password_is_tried_once_a_minute_and_nothing_is_marked(brisk: Stub) -> None:
    """A login that fails is a matter of the configuration: no message pays for it, and no account gets locked."""
    configs.change(brisk.sender_config, mail_password="wrong")
    brisk.send_test("ellie")
    brisk.send_test("ellie")
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        (down,) = sender.wait_for("relay_down")
        brisk.queue([{"raw": True, "id": "a sign that it polls on"}])
        sender.wait_for("malformed_entry")
        assert len(sender.events("relay_down")) == 1
    assert "535" in down
    assert "mail_username and mail_password" in down
    assert brisk.mails() == []
    assert all("sent_at" not in entry for entry in brisk.messages())


def test_a_sender_that_is_not_allowed_costs_no_mail_anything_and_is_said_once(
    brisk: Stub, authority: Authority
) -> None:
    """Six mails to six domains: nothing fails, one mail probes, and all go out once when it is mended."""
    denied = "554 5.2.252 SendAsDenied; a@example.net not allowed to send as idm@example.com"
    with ScriptedRelay({"DOT": [denied] * 3 + ["250 2.0.0 ok"]}, tls=authority.server()) as relay:
        table = {"ca_path": str(authority.pem)}
        configs.change(brisk.sender_config, mail_relay=f"smtps://localhost:{relay.port}", relay=table)
        brisk.queue(
            [
                {
                    "message_template": {"TestMessageV1": {"display_name": "a"}},
                    "mail_destination": [{"primary": True, "value": f"a@{number}.example"}],
                }
                for number in range(6)
            ]
        )
        with Sender(brisk.client_config, brisk.sender_config) as sender:
            (down,) = sender.wait_for("relay_down")
            relay.wait_for("DATA", 2)
            again = ("-c", brisk.client_config, "-m", brisk.sender_config, "queue", "flush")
            for _ in range(20):
                if relay.verbs().count("DATA") > 3:
                    break
                run(*again)
            sender.wait_for("sent", 6)
            assert len(sender.events("relay_down")) == 1
            assert sender.events("failed") == []
    assert "SendAsDenied" in down
    assert "provider's verified senders" in down
    assert len(relay.mails) == 6 + 3


@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_a_relay_that_asks_for_a_client_certificate_gets_it(stub: Stub, authority: Authority, mode: str) -> None:
    """`[relay] client_cert_path` and `client_key_path`; without them the line says so."""
    context = authority.server(client_ca=authority.pem)
    contexts: dict[str, ssl.SSLContext] = {mode: context}
    certificate, key = authority.client(authority.pem.parent)
    with ScriptedRelay(**contexts) as relay:  # type: ignore[arg-type]  # the key says which of two
        place = f"{'smtps' if mode == 'tls' else 'smtp'}://localhost:{relay.port}"
        code, line = try_mail(stub, place, ca_path=authority.pem)
        assert code != 0
        assert "client_cert_path" in line
        table = {"ca_path": authority.pem, "client_cert_path": certificate, "client_key_path": key}
        assert try_mail(stub, place, **table)[0] == 0


def test_a_relay_that_takes_one_mail_a_connection_and_no_rset_costs_no_mail_an_attempt(
    brisk: Stub, authority: Authority
) -> None:
    """What it says of the connection is no verdict on a mail, at the dot either; the ledger has one attempt for each."""
    full = "451 4.3.0 too many messages in this session"
    with ScriptedRelay(
        {"RSET": "502 5.5.1 no"}, tls=authority.server(), per_connection=1, then={"DOT": full}
    ) as relay:
        place = f"smtps://localhost:{relay.port}"
        configs.change(brisk.sender_config, mail_relay=place, relay={"ca_path": authority.pem})
        destinations = [{"primary": True, "value": f"{number}@example.com"} for number in range(12)]
        template = {"TestMessageV1": {"display_name": "Ellie"}}
        brisk.queue([{"message_template": template, "mail_destination": destinations}])
        with Sender(brisk.client_config, brisk.sender_config) as sender:
            sender.wait_for("sent", 12)
            assert sender.events("deferred") == sender.events("relay_down") == []
            assert len(sender.events("relay_session_limit")) == 1
            sender.stop()
    assert relay.verbs().count("MAIL") <= 12 + 4  # each connection that was open may have met the limit once


def test_the_ehlo_name_is_the_from_domain_unless_set(stub: Stub, authority: Authority) -> None:
    """Never `localhost`, never a container's id; `[relay] local_name` and the URL's path change it."""
    with ScriptedRelay(tls=authority.server()) as relay:
        place = f"smtps://localhost:{relay.port}"
        try_mail(stub, place, ca_path=authority.pem)
        try_mail(stub, f"{place}/from.url.example", ca_path=authority.pem)
        try_mail(stub, place, ca_path=authority.pem, local_name="set.example")
    names = [command.split()[1] for command in relay.commands if command.startswith("EHLO")]
    assert names == ["example.com", "from.url.example", "set.example"]


def test_extra_headers_arrive_as_they_were_written(stub: Stub) -> None:
    """`[headers]`: long values, as Amazon's, neither folded nor cut."""
    value = "arn:aws:ses:eu-central-1:123456789012:identity/" + "long-" * 30 + "example.com"
    configs.change(stub.sender_config, headers={"X-SES-SOURCE-ARN": value})
    assert run("-c", stub.client_config, "-m", stub.sender_config, "-t", "you@example.com").returncode == 0
    (path,) = (stub.dir / "mail").glob("*.eml")
    assert f"\r\nX-SES-SOURCE-ARN: {value}\r\n".encode() in path.read_bytes()


@pytest.mark.parametrize(
    ("replies", "code", "said"),
    [
        ({"RCPT": "550 5.1.1 nobody"}, 1, "Refused at rcpt: refused by the relay: 550 5.1.1 nobody"),
        ({"RCPT": "450 4.2.1 later"}, 75, "Not taken now, at rcpt: 450 4.2.1 later"),
        ({"DOT": "554 5.7.1 spam"}, 1, "Refused at dot: refused by the relay: 554 5.7.1 spam"),
        ({"DOT": CUT}, 75, "Cut off after the final dot"),
        ({"DOT": "251 2.0.0 forwarded"}, 0, "Accepted: the relay answered 251 2.0.0 forwarded"),
        ({"MAIL": "552 5.3.4 too big"}, 1, "Refused at mail: too large for the relay"),
    ],
)
def test_what_the_relay_says_of_the_mail_decides_the_exit_code_of_t(
    stub: Stub, authority: Authority, replies: dict[str, str | list[str]], code: int, said: str
) -> None:
    """0 accepted, 1 refused for good, 75 may pass; any 2xx to the dot is an acceptance."""
    with ScriptedRelay(replies, tls=authority.server()) as relay:
        found, line = try_mail(stub, f"smtps://localhost:{relay.port}", ca_path=authority.pem)
    assert line.startswith(said)
    assert found == code


def test_t_reports_a_fault_of_the_server_beside_the_result_which_decides(stub: Stub, tmp_path: Path) -> None:
    """The relay took the mail: 0, although the token is read-only or nobody answers."""
    configs.change(stub.sender_config, token=stub.tokens["readonly"])
    done = run("-c", stub.client_config, "-m", stub.sender_config, "-t", "you@example.com")
    assert done.returncode == 0
    assert "identity server: not usable: the token is read-only" in done.stdout
    assert "The sender would not run" in done.stdout.splitlines()[-1]
    done = run("-c", configs.client(tmp_path), "-m", stub.sender_config, "-t", "you@example.com")
    assert done.returncode == 0
    assert "cannot be reached: connection refused" in done.stdout


def test_a_handshake_that_hangs_holds_a_test_mail_no_longer_than_its_timeout(
    stub: Stub, authority: Authority
) -> None:
    """And the line names the key that may be raised, and the other spelling of `mail_relay`."""
    with ScriptedRelay({"BANNER": HANG}) as relay:
        code, line = try_mail(stub, f"smtps://localhost:{relay.port}", ca_path=authority.pem)
    assert code == 75
    assert line.startswith("Not sent: tls: ")
    assert "mail_connect_timeout_seconds (2)" in line
    assert f"smtp://localhost:{relay.port}" in line
