"""`doctor` says of each broken set-up what is wrong and what to do, and of a good one that all is well."""

import base64
import json
import os
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

from mail_sender.cli import doctor_output
from mail_sender.cli.doctor import TOPICS
from mail_sender.relay import rehearsal
from tests.support import broken_setups, configs
from tests.support.broken_setups import BROKEN, World
from tests.support.scripted_relay import HANG, ScriptedRelay
from tests.support.sender import Sender, run
from tests.support.stub import Stub

USUAL = {"skipped user"} if os.geteuid() == 0 else set()


@pytest.fixture
def world(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a world in which all is well, whose names are the test's own."""
    monkeypatch.setattr(socket, "getaddrinfo", broken_setups.look_up)
    monkeypatch.setenv("SSL_CERT_FILE", str(stub.ca))  # to read the system's roots costs more than all else
    with broken_setups.world(stub, tmp_path) as made:
        yield made


def examined(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the findings; no secret is shown, whatever they are."""
    code = doctor_output.print_report(world.files, "json", TOPICS, debug=False)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["version"] == 1
    assert found["exit"] == code
    assert err == ""
    assert_no_secret(world, out)
    return code, found["findings"]


def assert_no_secret(world: World, text: str) -> None:
    """Neither the token nor a part of it, nor the password, as it is said or plain."""
    values = tomli.loads(world.stub.sender_config.read_text())
    secrets = [*str(values["token"]).split("."), str(values.get("mail_password") or "-" * 9).strip(' \n"')]
    for secret in secrets:
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text


def odd(findings: list[dict[str, Any]]) -> set[str]:
    """Return the checks that are not ok, with their levels."""
    return {f"{one['level']} {one['check']}" for one in findings if one["level"] != "ok"}


def test_a_good_set_up_is_well_in_every_respect(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but what is as it should be, in the order in which a mail goes; and nothing was sent or marked."""
    code, findings = examined(world, capsys)
    assert code == 0
    assert odd(findings) == USUAL
    topics = list(dict.fromkeys(one["topic"] for one in findings))
    assert topics == ["configuration", "templates", "ledger", "server", "relay", "domain", "ehlo_name", "clock"]
    assert world.stub.mails() == []
    assert not (world.stub.dir / "state").exists()


def test_how_tls_starts_may_be_left_to_be_found_out(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """As with a mail: TLS from the first byte is tried, and then STARTTLS."""
    world.sender(mail_relay=f"localhost:{world.stub.ports['smtp']}")
    code, findings = examined(world, capsys)
    assert code == 0
    assert "by STARTTLS" in next(one["seen"] for one in findings if one["check"] == "relay_tls")


SECRET = "hunter2-of-the-relay"
PLAIN = base64.b64encode(f"\0mail-sender\0{SECRET}".encode()).decode()


def _echo(world: World) -> None:
    world.sender(mail_password=SECRET)
    replies = {"AUTH": f"535 5.7.8 no {SECRET} and no {PLAIN}", "EHLO": f"250-{SECRET}\r\n250 AUTH PLAIN"}
    world.relay("smtps", ScriptedRelay(replies, tls=world.authority.server()))


PLACES: dict[str, Callable[[World], object]] = {
    "the relay's URL": lambda world: world.sender(
        mail_relay=f"smtps://mail-sender:{SECRET}@localhost:{world.stub.ports['smtps']}",
        mail_username=None,
        mail_password=None,
    ),
    "a broken URL": lambda world: world.sender(mail_relay=f"smtps://smtps://me:{SECRET}@localhost:99999"),
    "the server's URL": lambda world: world.client(uri=f"https://me:{SECRET}@localhost:{world.stub.ports['api']}"),
    "a token of another form": lambda world: world.sender(token=f"{SECRET} with a space"),
    "half a login": lambda world: world.sender(mail_password=SECRET, mail_username=None),
    "a header": lambda world: world.sender(mail_password=SECRET, headers={"X-Password": SECRET}),
    "a relay that repeats it": _echo,
}


@pytest.mark.parametrize("place", PLACES)
def test_no_secret_is_shown_wherever_it_stands(world: World, capsys: pytest.CaptureFixture[str], place: str) -> None:
    """In the right place or in a wrong one, or said again by the other side; not even by the log of -d."""
    PLACES[place](world)
    doctor_output.print_report(world.files, "text", TOPICS, debug=True)
    shown = "".join(capsys.readouterr())
    assert "relay" in shown
    assert SECRET not in shown
    assert PLAIN not in shown


def test_the_proxys_login_is_not_shown(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The environment has secrets, too."""
    for proxy in (f"http://me:{SECRET}@127.0.0.1:1", f"socks5://me:{SECRET}@127.0.0.1:1"):
        monkeypatch.setenv("HTTPS_PROXY", proxy)
        code = doctor_output.print_report(world.files, "text", TOPICS, debug=True)
        shown = "".join(capsys.readouterr())
        assert code == 1
        assert "HTTPS_PROXY" in shown
        assert SECRET not in shown


def test_what_an_untrusted_relay_shows_can_be_pinned(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Its fingerprints are printed with a warning; pinned, by either of them, the relay is good, and that is said."""
    relay = ScriptedRelay(tls=world.authority.server("other.example"))
    world.relay("smtps", relay, trusted=False)
    code, findings = examined(world, capsys)
    assert code == 1
    shown = [one for one in findings if one["check"] == "relay_pin"]
    assert [one["level"] for one in shown] == ["warning", "warning"]
    assert all("by another way than this connection" in one["advice"] for one in shown)
    prints = [one["seen"].rpartition(" ")[2] for one in shown]
    for pin, what in zip(prints, ("certificate", "key"), strict=True):
        configs.change(world.stub.sender_config, relay={"pin_sha256": pin})
        code, findings = examined(world, capsys)
        assert code == 0
        assert [one for one in findings if one["topic"] == "relay" and one["level"] != "ok"] == []
        (pinned,) = [one["seen"] for one in findings if "pinned" in one["seen"]]
        assert pinned == f"the SHA-256 of its {what} is {pin}, which is pinned"
    assert relay.verbs().count("AUTH") == 2


def test_a_relay_without_tls_is_well(world: World, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Where mail does not leave this machine: nothing is missed that there cannot be."""
    path = tmp_path / "relay.sock"
    with ScriptedRelay(path=path):
        login = dict.fromkeys(("mail_username", "mail_password"))
        configs.change(world.stub.sender_config, mail_relay=f"smtp+unix://{path}", relay={}, **login)
        code, findings = examined(world, capsys)
    assert code == 0
    assert [one for one in findings if one["topic"] == "relay" and one["level"] != "ok"] == []
    seen = next(one["seen"] for one in findings if one["check"] == "relay_tls")
    assert seen == f"{path}: it is on this machine, and gets mail without TLS, as configured"


@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_and_the_cure_of_a_broken_set_up_are_named(
    world: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """One finding says it; all else that can be checked is, and is well."""
    broken = BROKEN[name]
    broken.make(world)
    code, findings = examined(world, capsys)
    assert code == (1 if broken.level == "fault" else 0)
    (found,) = [one for one in findings if one["check"] == broken.check and one["level"] == broken.level]
    assert broken.cause in found["seen"]
    assert broken.cure in found["advice"]
    faults = {one for one in odd(findings) if one.startswith("fault")}
    if name == "unwritable ledger":
        faults.discard("fault user")  # for root it is another user's folder, who may not read pytest's own
    assert faults == ({f"fault {broken.check}"} if broken.level == "fault" else set())


def test_root_sees_what_the_senders_user_may_not_read(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Root may read everything: what counts is the user who owns the state folder. Any other user speaks for itself."""
    broken_setups.BROKEN["unwritable ledger"].make(world)
    above = Path(tomli.loads(world.stub.sender_config.read_text())["ledger"]["path"]).parent
    files = above / "config", above / "mail-sender"
    for source, copy in zip(world.files, files, strict=True):
        copy.write_bytes(source.read_bytes())
    password, ca, of_relay = above / "password", above / "ca.pem", above / "relay-ca.pem"
    password.write_text("its own")
    for copy in (ca, of_relay):
        copy.write_bytes(world.stub.ca.read_bytes())
    configs.change(files[0], ca_path=ca)
    configs.change(files[1], mail_password=None, mail_password_path=password, relay={"ca_path": of_relay})
    found = []
    all_files = (*files, ca, password, of_relay)
    for closed in (*all_files, None):
        for file in all_files:
            file.chmod(0o600 if file == closed else 0o644)
        doctor_output.print_report(files, "json", ["configuration"], debug=False)
        findings = json.loads(capsys.readouterr().out)["findings"]
        found += [f"{one['level']} {one['seen']}" for one in findings if one["check"] == "user"]
    if os.geteuid() == 0:
        whose = f"the sender's user (uid 65534, which owns {above / 'state'})"
        assert found == [
            *(f"fault this runs as root; but {whose} may not read {file}" for file in all_files),
            f"ok this runs as root; {whose} may read all files",
        ]
    else:
        assert found == [f"ok this runs as uid {os.geteuid()}, and reads the files as that user"] * 6


def test_localhost_may_be_an_address_where_nothing_listens(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is two addresses on most machines, and many relays listen on one: of no other name that is said to be well."""
    monkeypatch.setitem(broken_setups.NAMES, "localhost", ("127.0.0.2", "127.0.0.1"))
    code, findings = examined(world, capsys)
    assert (code, odd(findings)) == (0, USUAL)
    seen = [one["seen"] for one in findings if one["check"] == "relay_connection"]
    assert seen == ["127.0.0.2: nothing listens there; another address of localhost does"]


def test_the_password_is_said_at_one_address_only(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong one that is said at each could lock the account."""
    relay = ScriptedRelay({"AUTH": "535 5.7.8 no"}, tls=world.authority.server("twice.example.com"))
    world.relay("smtps", relay, host="twice.example.com")
    _, findings = examined(world, capsys)
    assert relay.verbs().count("EHLO") == 3
    assert relay.verbs().count("AUTH") == 1
    assert "RCPT" not in relay.verbs()
    assert "fault relay_login" in odd(findings)


def test_a_relay_that_falls_silent_ends_in_time_and_in_words(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A mail would wait for minutes; nobody at a terminal does."""
    monkeypatch.setattr(rehearsal, "LONGEST", 0.5)
    world.relay("smtps", ScriptedRelay({"EHLO": HANG}, tls=world.authority.server()))
    world.sender(mail_connect_timeout_seconds=30)
    began = time.monotonic()
    _, findings = examined(world, capsys)
    assert time.monotonic() - began < 20
    (found,) = [one for one in findings if one["level"] == "fault"]
    assert found["check"] == "relay_greeting"
    assert "broke right after its start (no answer in time)" in found["seen"]


def test_an_older_ledger_is_read_and_stays_as_it_is(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """The sender brings it up to date when it starts; until then, an older sender may need it."""
    file = broken_setups.ledger(world, "")
    before = file.read_bytes()
    code, findings = examined(world, capsys)
    assert code == 0
    assert [one["level"] for one in findings if one["check"] == "ledger"] == ["ok"]
    assert file.read_bytes() == before
    assert [path.name for path in file.parent.iterdir()] == ["ledger.db"]


def test_faults_of_the_configuration_hide_no_other(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Three things are wrong in three places: one run shows all of them."""
    BROKEN["misspelt key"].make(world)
    BROKEN["wrong password"].make(world)
    BROKEN["server down"].make(world)
    _, findings = examined(world, capsys)
    faults = {one for one in odd(findings) if one.startswith("fault")}
    assert faults == {"fault configuration", "fault relay_login", "fault server_connection"}


def test_the_program_reports_beside_a_running_sender(brisk: Stub) -> None:
    """It takes no lock, and disturbs nobody; neither stream shows a secret, even with -d."""
    configs.change(brisk.sender_config, relay={"ca_path": brisk.ca, "local_name": "localhost"})
    with Sender(brisk.client_config, brisk.sender_config) as sender:
        sender.wait_for("server_ready")
        done = run("-d", "-c", brisk.client_config, "-m", brisk.sender_config, "doctor")
        assert not [one for one in sender.lines if "ledger_down" in one or "stopped" in one]
    assert done.returncode == 0, done.stdout
    assert "ledger.db can be read and written; deliveries: none" in done.stdout
    assert '\nEHLO name\n  warning  EHLO gives the name "localhost"' in done.stdout
    assert "\n           what to do: set [relay] local_name" in done.stdout
    assert done.stdout.splitlines()[-1].startswith("0 faults, 1 warning, ")
    assert "Traceback" not in done.stderr
    values = tomli.loads(brisk.sender_config.read_text())
    shown = done.stdout + done.stderr
    assert [key for key in ("token", "mail_password") if values[key] in shown] == []


def test_without_any_configuration_it_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The first run of a new user ends with what to do, and not with a traceback."""
    code = doctor_output.print_report((tmp_path / "config", tmp_path / "mail-sender"), "text", TOPICS, debug=False)
    assert code == 1
    out, err = capsys.readouterr()
    assert f"fault    {tmp_path}/config: no such file" in out
    assert f"fault    {tmp_path}/mail-sender: no such file" in out
    assert "2 faults, 0 warnings, " in out
    assert err == ""
