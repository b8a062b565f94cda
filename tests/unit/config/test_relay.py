"""The relay: its login, its EHLO name, and the folder that takes its place in a dry run."""

import json
from pathlib import Path

import pytest

from mail_sender.config.config import Config
from mail_sender.config.load import load
from mail_sender.ledger.config import LedgerConfig
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig
from tests.support.config_files import SENDER, Files, lines, only
from tests.support.configs import relay_of


def test_the_ehlo_name_is_the_tables_then_the_urls_then_froms_domain(files: Files) -> None:
    """`[relay] local_name` goes over the URL's path, which goes over the domain of the From address."""
    url = '"smtps://relay.example.com/from-url.example"'
    assert relay_of(files.load()).local_name == "example.com"
    assert relay_of(files.load(mail_relay=url)).local_name == "from-url.example"
    assert (
        relay_of(files.load('[relay]\nlocal_name = "table.example"\n', mail_relay=url)).local_name == "table.example"
    )
    assert relay_of(files.load('[relay]\nlocal_name = "[192.0.2.1]"\n')).local_name == "[192.0.2.1]"


def login(config: Config) -> tuple[str | None, str | None]:
    """Return user and password as the relay will get them."""
    password = relay_of(config).password
    return relay_of(config).username, password.get_secret_value() if password else None


URL_LOGIN = '"smtps://url-user:url-pass@relay.example.com"'


LOGINS: list[tuple[dict[str, str | None], tuple[str | None, str | None]]] = [
    ({}, ("idm", "correct horse")),
    ({"mail_username": None, "mail_password": None}, (None, None)),
    ({"mail_password": '""'}, (None, None)),
    ({"mail_username": '""', "mail_password": '""'}, (None, None)),
    ({"mail_username": None, "mail_password": '""'}, (None, None)),
    ({"mail_username": None, "mail_password": None, "mail_relay": URL_LOGIN}, ("url-user", "url-pass")),
    ({"mail_relay": URL_LOGIN}, ("idm", "correct horse")),
    ({"mail_password": '""', "mail_relay": URL_LOGIN}, (None, None)),
]


@pytest.mark.parametrize(("changes", "expected"), LOGINS)
def test_a_login_is_whole_or_none(
    files: Files, changes: dict[str, str | None], expected: tuple[str | None, str | None]
) -> None:
    """The keys go over the URL; an empty password, or neither key, means no login, which is warned of."""
    config = files.load(**changes)
    assert login(config) == expected
    assert any("no login" in warning for warning in config.warnings) == (expected == (None, None))


HALF_LOGINS: list[tuple[dict[str, str | None], str]] = [
    ({"mail_password": None}, "mail_username"),
    ({"mail_username": None}, "mail_password"),
    ({"mail_username": '""'}, "mail_password"),
    ({"mail_username": None, "mail_password": None, "mail_relay": '"smtps://me@relay.example.com"'}, "mail_relay"),
    ({"mail_username": None, "mail_password": None, "mail_relay": '"smtps://:pw@relay.example.com"'}, "mail_relay"),
]


@pytest.mark.parametrize(("changes", "key"), HALF_LOGINS)
def test_half_a_login_is_a_fault(files: Files, changes: dict[str, str | None], key: str) -> None:
    """A user without a password, or the reverse, is reported at the key that is there."""
    fault = only(files.faults(**changes))
    assert fault.key == key
    assert fault.line is not None


FOLDER = '[relay]\nkind = "folder"\npath = "/var/tmp/mails"\n'


def test_a_folder_takes_the_relays_place_and_remembers_nothing(files: Files) -> None:
    """Neither relay nor login is wanted, and none is missed; the ledger is kept in memory, whatever its table says."""
    tables = f'{FOLDER}[ledger]\npath = "/var/lib/mail-sender"\n'
    config = files.load(tables, mail_relay=None, mail_username=None, mail_password=None)
    assert config.relay == FolderConfig(Path("/var/tmp/mails"))
    assert config.ledger == LedgerConfig(None, "memory")
    assert not any("login" in warning for warning in config.warnings)


def test_a_dry_run_goes_over_whatever_the_relay_is(files: Files) -> None:
    """The rest of the table counts as ever; the relay's secrets stay secrets."""
    for relay in (None, "'smtps://idm:from-the-url@relay.example.com'"):
        text = lines({**SENDER, "mail_relay": relay, "mail_username": None, "mail_password": None})
        files.write(text + '[relay]\nlocal_name = "x.example"\n')
        config = load(files.client, files.sender, Path("/elsewhere"))
        assert config.relay == FolderConfig(Path("/elsewhere"))
        assert (Secret("from-the-url") in config.secrets) == (relay is not None)


@pytest.mark.parametrize(
    ("tables", "relay", "key"),
    [
        ('[relay]\nkind = "folder"\n', SENDER["mail_relay"], "relay.path"),
        ('[relay]\nkind = "folder"\npath = ""\n', SENDER["mail_relay"], "relay.path"),
        ('[relay]\nkind = "folder"\npath = "a\\u0000b"\n', SENDER["mail_relay"], "relay.path"),
        ('[relay]\npath = "/var/tmp/mails"\n', SENDER["mail_relay"], "relay.path"),
        ('[relay]\nkind = "pigeon"\n', SENDER["mail_relay"], "relay.kind"),
        ('[relay]\nkind = "smtp"\n', None, "mail_relay"),
        ("", None, "mail_relay"),
    ],
)
def test_a_relay_that_is_half_set_is_one_fault(files: Files, tables: str, relay: str | None, key: str) -> None:
    """It names the key that is to be mended, and nothing else is blamed for it."""
    (fault,) = files.faults(tables, mail_relay=relay)
    assert fault.key == key


SPACED = {
    "secret\\n": ("secret", "line break"), "\\r\\nsecret\\r\\n": ("secret", "line break"),
    "secret\\n  ": ("secret", "line break"), "secret ": ("secret ", "space"), " secret": (" secret", "space"),
    "secret\\u00a0": ("secret\u00a0", "space"), "secret\\u200b": ("secret\u200b", "U+200B"), "sec ret": ("sec ret", ""),
}  # fmt: skip


@pytest.mark.parametrize("written", SPACED)
@pytest.mark.parametrize("key", ["mail_username", "mail_password"])
def test_line_breaks_around_the_login_are_cut_off_and_spaces_kept_and_both_are_said(
    files: Files, key: str, written: str
) -> None:
    """A file or a pasted text ends with one; a space may belong to a password."""
    config = files.load(**{key: f'"{written}"'})
    value, words = SPACED[written]
    assert login(config)[key == "mail_password"] == value
    assert [key in warning for warning in config.warnings if words and words in warning] == ([True] if words else [])
    assert "secret" not in str(config.warnings)


def test_the_login_in_the_url_is_read_like_the_keys(files: Files) -> None:
    """A line break at its end is cut off, and said."""
    config = files.load(mail_username=None, mail_password=None, mail_relay='"smtps://me:pw%0A@relay.example.com"')
    assert login(config) == ("me", "pw")
    assert Secret("pw") in config.secrets
    assert "the password in mail_relay (2 characters): a line break" in config.warnings[0]


def test_a_password_of_line_breaks_alone_is_no_login(files: Files) -> None:
    """It is empty, then."""
    assert login(files.load(mail_password='"\\n"')) == (None, None)


@pytest.mark.parametrize(
    ("password", "said"),
    [
        ("correct horse", None),
        ('"', None),
        ("correct\n", "mail_password (7 characters): a line break around it is left out"),
        (" correct", "mail_password (8 characters) has a space at its end or start"),
        ('"correct"', "mail_password (9 characters) has quotes around it"),
        ("'correct'", "mail_password (9 characters) has quotes around it"),
        ("cor\u200brect", "mail_password (8 characters) holds U+200B"),
    ],
)
def test_an_odd_password_is_described_and_not_shown(files: Files, password: str, said: str | None) -> None:
    """Its length and what is odd: whoever pasted it knows then what went along."""
    warnings = files.load(mail_password=json.dumps(password)).warnings
    assert [warning.startswith(said or "") for warning in warnings] == ([True] if said else [])
    assert "correct" not in " ".join(warnings)


PRINT = "0123456789abcdef" * 4


def test_name_and_pins_of_the_relay_arrive_as_tls_wants_them(files: Files) -> None:
    """A name in ASCII without a dot at its end; one pin or several, in hexadecimal. Without the keys, it is the host."""
    assert (relay_of(files.load()).tls_name, relay_of(files.load()).pins) == ("relay.example.com", ())
    config = relay_of(files.load(f'[relay]\nserver_name = "smtp.straße.example."\npin_sha256 = "{PRINT.upper()}"\n'))
    assert (config.tls_name, config.pins) == ("smtp.xn--strae-oqa.example", (PRINT,))
    several = relay_of(files.load(f'[relay]\npin_sha256 = ["sha256//{"A" * 43}=", "{PRINT}", "{PRINT}"]\n'))
    assert several.pins == ("00" * 32, PRINT)


@pytest.mark.parametrize(
    ("table", "key", "said"),
    [
        ('server_name = "two words"', "relay.server_name", "expected the host name that the certificate has"),
        ('server_name = ""', "relay.server_name", "expected the host name"),
        ('server_name = "https://x.example"', "relay.server_name", "expected the host name"),
        ('pin_sha256 = ""', "relay.pin_sha256", "0 octets"),
        ('pin_sha256 = ["da39a3ee5e6b4b0d3255bfef95601890afd80709"]', "relay.pin_sha256", "20 octets"),
        ("pin_sha256 = 7", "relay.pin_sha256", "list"),
        (f"pin_sha256 = {[f'{number:064x}' for number in range(21)]}", "relay.pin_sha256", "at most 20"),
    ],
)
def test_a_name_or_a_pin_that_is_none_is_a_fault(files: Files, table: str, key: str, said: str) -> None:
    """At its key."""
    fault = only(files.faults(f"[relay]\n{table}\n"))
    assert fault.key == key
    assert said in f"{fault.found} {fault.expected}"


def test_a_ca_beside_a_pin_does_nothing_and_that_is_said(files: Files, pems: dict[str, Path]) -> None:
    """Somebody may believe that both are asked for."""
    (warning,) = files.load(f'[relay]\npin_sha256 = "{PRINT}"\nca_path = "{pems["ca"]}"\n').warnings
    assert "relay.ca_path does nothing beside pin_sha256" in warning


PLAIN = ['"smtp+insecure://127.0.0.1"', '"smtp+unix:///run/relay.sock"']


@pytest.mark.parametrize("relay", PLAIN)
def test_without_tls_there_is_no_password(files: Files, relay: str) -> None:
    """It would be sent in clear; an empty one means no login, as ever."""
    fault = only(files.faults(mail_relay=relay))
    assert fault.key == "mail_password"
    assert "sent in clear" in fault.found
    assert login(files.load(mail_relay=relay, mail_password='""')) == (None, None)


def test_without_tls_there_is_no_password_in_the_url_either(files: Files) -> None:
    """It is not shown."""
    url = '"smtp+insecure://idm:hunter2-secret@127.0.0.1"'
    fault = only(files.faults(mail_relay=url, mail_username=None, mail_password=None))
    assert (fault.key, "sent in clear" in fault.found) == ("mail_relay", True)
    assert "hunter2" not in str(fault)


@pytest.mark.parametrize("relay", PLAIN)
@pytest.mark.parametrize("table", [f'pin_sha256 = "{PRINT}"', 'server_name = "relay.example"'])
def test_without_tls_no_key_about_tls_has_a_say(files: Files, relay: str, table: str) -> None:
    """Whoever sets one believes that it is checked."""
    fault = only(files.faults(f"[relay]\n{table}\n", mail_relay=relay, mail_username=None, mail_password=None))
    assert fault.key == f"relay.{table.partition(' ')[0]}"
    assert "without TLS" in fault.found
