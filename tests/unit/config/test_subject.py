"""A configuration with faults is used as far as it can be: what a fault is not about is checked all the same."""

from pathlib import Path

import pytest

from mail_sender.config import subject
from mail_sender.doctor.subject import Subject
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig, RelayConfig
from tests.support.config_files import CLIENT, SENDER, Files, lines, override

TOKEN = "eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl"


def read(files: Files, tables: str = "", client: str | None = None, /, **changes: str | None) -> Subject:
    """Read good files with some values changed, as TOML."""
    files.write(lines({**SENDER, **changes}) + tables, lines(CLIENT) if client is None else client)
    return subject.read(files.client, files.sender)


def parts(found: Subject) -> set[str]:
    """Return which slices there are."""
    slices = {"source": found.source, "relay": found.relay, "mail": found.mail, "ledger": found.ledger}
    return {name for name, one in slices.items() if one is not None}


ALL = {"source", "relay", "mail", "ledger"}


def test_a_good_configuration_is_all_there(files: Files) -> None:
    """With its secrets, which are for nobody to see."""
    found = read(files)
    assert parts(found) == ALL
    assert found.reading.faults == ()
    assert {Secret(TOKEN), Secret("correct horse")} <= found.reading.secrets
    assert TOKEN not in repr(found)


@pytest.mark.parametrize(
    ("tables", "client", "changes", "missing", "key"),
    [
        ("", 'uri = "ftp://x"\n', {}, {"source"}, "uri"),
        ("", "", {}, {"source"}, "uri"),
        ("", "= broken\n", {}, {"source"}, ""),
        ("", None, {"mail_relay": '"smtps://smtps://x"'}, {"relay"}, "mail_relay"),
        ("", None, {"mail_from_address": '"nobody"'}, {"relay", "mail"}, "mail_from_address"),
        ('[relay]\nca_path = "/nowhere/ca.pem"\n', None, {}, {"relay"}, "relay.ca_path"),
        ("[ledger]\nkind = 3\n", None, {}, {"ledger"}, "ledger.kind"),
        ("", None, {"token": '"<your token>"'}, set(), "token"),
        ("", None, {"mail_password": None}, set(), "mail_username"),
        ("", None, {"instance_url": '"x"'}, set(), "instance_url"),
        ("[retry]\nmessage_retries = -1\n", None, {}, set(), "retry.message_retries"),
    ],
)
def test_a_fault_leaves_out_only_what_it_is_about(
    files: Files, tables: str, client: str | None, changes: dict[str, str | None], missing: set[str], key: str
) -> None:
    """Each fault is reported, and the rest is the configuration's own."""
    found = read(files, tables, client, **changes)
    assert [fault.key for fault in found.reading.faults] == [key]
    assert parts(found) == ALL - missing
    assert found.reading.is_faulty(key)
    assert found.source is None or found.source.uri == "https://idm.example.com"
    assert found.relay is None or (isinstance(found.relay, RelayConfig) and found.relay.host == "relay.example.com")


def test_a_file_that_is_not_there_is_all_that_is_left_out(files: Files) -> None:
    """The identity server is still there to be asked, if only for its name and certificate."""
    files.write("", lines(CLIENT))
    files.sender.unlink()
    found = subject.read(files.client, files.sender)
    assert parts(found) == {"source"}
    assert found.reading.is_faulty("token")


def test_swapped_files_are_one_fault(files: Files) -> None:
    """Nothing in them is where it is looked for."""
    files.write(lines(SENDER), lines(CLIENT))
    found = subject.read(files.sender, files.client)
    assert len(found.reading.faults) == 1
    assert found.source is None
    assert found.relay is None


def test_half_a_login_is_no_login(files: Files) -> None:
    """The relay is examined without one, and `is_faulty` says that there should be one."""
    found = read(files, mail_password=None)
    assert isinstance(found.relay, RelayConfig)
    assert found.relay.username is None
    assert found.reading.is_faulty("mail_username", "mail_password")


def test_faults_of_templates_are_apart_and_hide_nothing(files: Files) -> None:
    """Those of the files, and those that show only in a sample; a fault elsewhere hides neither."""
    failing = "test_message_v1/body.txt.j2"
    cases: tuple[tuple[str, dict[str, str | None]], ...] = (
        ("{{ nobody }}", {}),
        ("{{ 1 / 0 }}", {}),
        ("{{ 1 / 0 }}", {"token": '"<your token>"'}),
    )
    for text, changes in cases:
        found = read(files, override(files, **{failing: text}), **changes)
        assert len(found.reading.template_faults) == 1
        assert [fault.key for fault in found.reading.faults] == list(changes)
        assert parts(found) == ALL


def test_a_dry_run_stays_one(files: Files, tmp_path: Path) -> None:
    """Also beside a fault."""
    found = read(files, f'[relay]\nkind = "folder"\npath = "{tmp_path}"\n', token='"..."')
    assert found.relay == FolderConfig(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"token": '"a secret, with spaces"'},
        {"mail_relay": '"smtps://me:a-secret-of-mine@relay.example.com:99999"'},
        {"mail_username": None, "mail_password": '"a-secret-of-mine"'},
        {"mail_password": "['a-secret-of-mine']"},
        {"instance_url": '"https://me:a-secret-of-mine@idm.example.com"'},
    ],
)
def test_no_fault_shows_a_secret_wherever_it_stands(files: Files, changes: dict[str, str | None]) -> None:
    """It may be in the wrong place, or in the wrong form."""
    found = read(files, **changes)
    assert found.reading.faults
    shown = " ".join(fault.seen + fault.expected for fault in found.reading.faults)
    assert "a-secret-of-mine" not in shown
    assert "a secret, with spaces" not in shown


def test_a_bad_proxy_on_the_way_to_the_token_leaves_out_the_relay(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one fault, and what stands in for the relay is still there."""
    monkeypatch.setenv("HTTPS_PROXY", "socks5://127.0.0.1:1080")
    tables = (
        '[relay.oauth]\nflow = "refresh_token"\ntoken_url = "https://login.acme.zz/t"\n'
        'client_id = "app"\nrefresh_token = "r-1"\n'
        '[[relay.fallback]]\nmail_relay = "smtps://other.example.com"\n'
    )
    found = read(files, tables, mail_username=None, mail_password=None)
    assert [fault.key for fault in found.reading.faults] == ["HTTPS_PROXY"]
    assert parts(found) == ALL - {"source", "relay"}
    assert [one.host for one in found.fallbacks] == ["other.example.com"]


def test_a_bad_proxy_beside_another_fault_leaves_out_the_server_alone(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither fault hides the other."""
    monkeypatch.setenv("HTTPS_PROXY", "x\ny")
    found = read(files, "", lines(CLIENT) + 'connect_timeout = ""\n')
    assert parts(found) == ALL - {"source"}
    assert [fault.key for fault in found.reading.faults] == ["connect_timeout", "HTTPS_PROXY"]


@pytest.mark.parametrize(
    "tables",
    [
        f"[retry]\nmessage_retries = 0x{'f' * 5000}\n",
        '[alert]\nurl_path = "a\\u0000b"\n',
        f"[retry]\nmessage_retries = -1\n{'k' * 300_000} = 1\n",
        f'[{"t" * 300_000}]\nwebhook_url = "https://hooks.example.com/"\nformat = "slack"\n',
    ],
    ids=[
        "a number of 5,000 hexadecimal digits",
        "a path with a NUL",
        "a key as long as the file",
        "a table's name as long as the file",
    ],
)
def test_what_no_key_should_hold_is_a_fault_in_a_line(files: Files, tables: str) -> None:
    """None of it ends in an error of Python's own, or takes long."""
    faults = read(files, tables).reading.faults
    assert faults
    assert all(len(str(fault)) < 1000 for fault in faults)
