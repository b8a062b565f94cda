"""`[[relay.fallback]]`: relays with all that the first one may have, which stand in for it in their order."""

from pathlib import Path

import pytest

from mail_sender.config import subject
from mail_sender.config.keys import SenderFile, input_paths
from mail_sender.config.load import load
from mail_sender.relay.config import FallbackConfig
from mail_sender.relay.relay_url import Security
from tests.support.certificates import Authority
from tests.support.config_files import SENDER, Files, lines, only
from tests.support.configs import relay_of

PASSWORD = "Tr0ub4dor-and-3"
TABLE = f"""
[relay]
local_name = "first.example.com"

[[relay.fallback]]
mail_relay = "smtp://second.example.net:2525"
mail_username = "second"
mail_password = "{PASSWORD}"
local_name = "idm.example.net"

[[relay.fallback]]
mail_relay = "smtps://third:{PASSWORD}@third.example.org"
after_seconds = 600
connections = 2
pipelining = false
"""


def changed(old: str, new: str) -> str:
    """Return the tables with one text changed."""
    assert old in TABLE
    return TABLE.replace(old, new)


def fallbacks(files: Files, tables: str = TABLE) -> tuple[FallbackConfig, ...]:
    """Return the fallbacks of files with these tables."""
    return files.load(tables).fallbacks


def test_each_fallback_is_a_relay_with_a_login_of_its_own(files: Files) -> None:
    """In the order in which they stand; what one does not say has the first relay's default, not its value."""
    second, third = fallbacks(files)
    assert (second.relay.place, second.relay.security) == ("second.example.net:2525", Security.STARTTLS)
    assert (second.relay.username, second.relay.local_name, second.after) == ("second", "idm.example.net", 30.0)
    assert (third.relay.place, third.relay.username, third.after) == ("third.example.org:465", "third", 600.0)
    assert third.relay.local_name == "example.com"
    assert [(one.relay.connections, one.relay.pipelining) for one in (second, third)] == [(4, True), (2, False)]
    assert all(one.relay.password and one.relay.password.get_secret_value() == PASSWORD for one in (second, third))
    config = files.load(TABLE)
    assert [one.place for one in config.relays] == [relay_of(config).place, second.relay.place, third.relay.place]
    assert relay_of(config).username == "idm"


def test_without_a_fallback_there_is_none_and_a_dry_run_has_none(files: Files) -> None:
    """What is not there is not asked for."""
    assert fallbacks(files, "") == ()
    files.write(lines(SENDER) + TABLE)
    assert load(files.client, files.sender, files.folder).fallbacks == ()


FAULTS = [
    ('mail_username = "second"\n', "", "relay.fallback.0.mail_password", "is set, but mail_username is not", 15),
    ('"smtp://second.example.net:2525"', '"smtps://"', "relay.fallback.0.mail_relay", "not a host name", 14),
    ('mail_relay = "smtp://second.example.net:2525"\n', "", "relay.fallback.0.mail_relay", "is missing", 13),
    ("after_seconds = 600", "after_seconds = -1", "relay.fallback.1.after_seconds", "-1", 21),
    (
        "after_seconds = 600",
        "per_minute = 5",
        "relay.fallback.1.per_minute",
        "does not belong in [relay.fallback]",
        21,
    ),
    ("after_seconds = 600", "after_second = 600", "relay.fallback.1.after_second", "unknown key", 21),
    (
        "after_seconds = 600",
        'client_cert_path = "/x"',
        "relay.fallback.1.client_cert_path",
        "client_key_path is not",
        21,
    ),
    ("third.example.org", "second.example.net:2525", "relay.fallback.1.mail_relay", "is named twice", 20),
    ("third.example.org", "relay.example.com", "relay.fallback.1.mail_relay", "is named twice", 20),
]


@pytest.mark.parametrize(("old", "new", "key", "found", "line"), FAULTS)
def test_a_fault_names_the_key_of_its_fallback_and_no_password(
    files: Files, old: str, new: str, key: str, found: str, line: int
) -> None:
    """With its line; the first fallback is number 0, as in `config show`."""
    fault = only(files.faults(changed(old, new)))
    assert (fault.key, fault.line) == (key, line)
    assert found in fault.found
    assert PASSWORD not in str(fault)


def test_what_stands_in_the_place_of_a_fallback_is_not_shown(files: Files) -> None:
    """It may hold a password."""
    fault = only(files.faults(f'[relay]\nfallback = "smtps://u:{PASSWORD}@second.example.net"\n'))
    assert fault.key == "relay.fallback"
    assert PASSWORD not in str(fault)


def test_a_password_of_a_fallback_is_a_secret_wherever_it_stands(files: Files) -> None:
    """No log may show it."""
    config = files.load(TABLE)
    assert PASSWORD in {secret.get_secret_value() for secret in config.secrets}
    assert PASSWORD not in repr(config)


def test_a_file_with_a_fallbacks_password_is_read_and_watched(files: Files) -> None:
    """As the first relay's."""
    path = files.folder / "second"
    path.write_text(PASSWORD)
    path.chmod(0o600)
    config = files.load(changed(f'mail_password = "{PASSWORD}"', f'mail_password_path = "{path}"'))
    assert config.fallbacks[0].relay.password is not None
    assert config.fallbacks[0].relay.password.get_secret_value() == PASSWORD
    assert path in config.files
    path.unlink()
    fault = only(files.faults(changed(f'mail_password = "{PASSWORD}"', f'mail_password_path = "{path}"')))
    assert fault.key == "relay.fallback.0.mail_password_path"


def test_certificates_of_a_fallback_are_checked_and_watched(files: Files, tmp_path: Path) -> None:
    """A wrong path is a fault of its key; a file that is renewed is a change of the configuration."""
    own, key = Authority.make(tmp_path).client(tmp_path)
    mine = f'client_cert_path = "{own}"\nclient_key_path = "{key}"'
    config = files.load(changed("after_seconds = 600", mine))
    assert (config.fallbacks[1].relay.client_cert_path, relay_of(config).client_cert_path) == (own, None)
    assert {own, key} <= set(config.files)
    fault = only(files.faults(changed("after_seconds = 600", 'ca_path = "/nowhere/ca.pem"')))
    assert (fault.key, fault.found) == ("relay.fallback.1.ca_path", "/nowhere/ca.pem: no such file")
    assert [*input_paths(SenderFile, {"relay": {"fallback": [{"ca_path": "/a"}, {"ca_path": "/b"}, 7]}})] == [
        Path("/a"),
        Path("/b"),
    ]


def test_a_fallback_without_a_login_is_warned_of(files: Files) -> None:
    """As the first relay is."""
    tables = changed(f'mail_username = "second"\nmail_password = "{PASSWORD}"\n', "")
    assert any(one.startswith("relay.fallback.0: no login") for one in files.load(tables).warnings)
    assert not any("relay.fallback" in one for one in files.load(TABLE).warnings)


def test_doctor_sees_the_fallbacks_and_the_rest_where_one_has_a_fault(files: Files) -> None:
    """The first relay is examined all the same."""
    files.write(lines(SENDER) + TABLE)
    assert len(subject.read(files.client, files.sender).fallbacks) == 2
    files.write(lines(SENDER) + changed("after_seconds = 600", "after_seconds = -1"))
    found = subject.read(files.client, files.sender)
    assert found.fallbacks == ()
    assert found.relay is not None
