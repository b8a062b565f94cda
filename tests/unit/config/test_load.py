"""The two configuration files: what they make, and what is said of each fault."""

import json
import os
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st

from mail_sender.config.config import Config
from mail_sender.config.load import load, load_anew
from mail_sender.errors import ConfigError, ConfigFault, Exit
from mail_sender.ledger.config import LedgerConfig
from mail_sender.relay.config import FolderConfig
from mail_sender.relay.endpoint import Security
from mail_sender.sender.config import RetryConfig
from mail_sender.source.kanidm import KanidmSource
from tests.support.config_files import CLIENT, SENDER, Files, lines
from tests.support.configs import relay_of


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give a folder for the two files."""
    return Files(tmp_path)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Give a folder for the many files of a property."""
    return Files(tmp_path_factory.mktemp("many"))


def only(faults: tuple[ConfigFault, ...]) -> ConfigFault:
    """Return the one fault."""
    (fault,) = faults
    return fault


# Good files


def test_kanidms_own_keys_load_with_its_defaults(files: Files) -> None:
    """A config with Kanidm's required keys alone gets Kanidm's schedule and time-outs, and our defaults."""
    config = files.load()
    assert str(config.sender.schedule) == "*/5 * * * * * *"
    assert config.sender.stop_grace_seconds == 8.0
    assert config.sender.retry == RetryConfig(message_retries=5, max_age=timedelta(days=1))
    assert config.ledger == LedgerConfig(path=None, kind="sqlite")
    assert (relay_of(config).connect_timeout, config.source.connect_timeout) == (15.0, 15.0)
    assert (config.source.verify_ca, config.source.verify_hostnames, config.source.ca_path) == (True, True, None)
    assert (config.log_format, config.warnings) == ("text", ())


def test_every_key_reaches_its_stage(files: Files) -> None:
    """Values that differ from the defaults arrive where they belong."""
    config = files.load(
        '[relay]\nlocal_name = "mx.example.org"\n[headers]\nX-Tag = "one"\nX-Other = "two"\n'
        '[worker]\nstop_grace_seconds = 2\n[observe]\nlog_format = "json"\n'
        '[retry]\nmessage_retries = 7\nmax_age_seconds = 3600\n[ledger]\npath = "/var/spool/idm"\nkind = "memory"\n',
        {"uri": '"https://idm.example.org:8443/some/path"', "verify_hostnames": "false", "connect_timeout": "3"},
        schedule='"@hourly"',
        mail_relay='"smtp://relay.example.org:2587"',
        mail_connect_timeout_seconds="4",
    )
    assert config.source.uri == "https://idm.example.org:8443"
    assert (config.source.verify_ca, config.source.verify_hostnames, config.source.connect_timeout) == (
        True,
        False,
        3,
    )
    relay = relay_of(config)
    assert (relay.place, relay.security, relay.connect_timeout) == ("relay.example.org:2587", Security.STARTTLS, 4)
    assert (relay.local_name, relay.username) == ("mx.example.org", "idm")
    assert relay.password is not None
    assert relay.password.get_secret_value() == "correct horse"
    assert config.mail.headers == (("X-Tag", "one"), ("X-Other", "two"))
    assert (config.sender.stop_grace_seconds, config.log_format) == (2.0, "json")
    assert config.sender.retry == RetryConfig(message_retries=7, max_age=timedelta(hours=1))
    assert config.ledger == LedgerConfig(path=Path("/var/spool/idm"), kind="memory")
    assert config.sender.schedule.expression == "@hourly"
    mail = config.mail
    assert (mail.from_address, mail.reply_to_address) == ("idm@example.com", "support@example.com")
    assert (mail.instance_display_name, mail.instance_url) == ("Example Identity", "https://idm.example.com")


def test_kanidms_client_config_may_hold_other_instances(files: Files) -> None:
    """Only the top level counts; an instance's table is nobody's fault, whatever it holds."""
    config = files.load("", {"verify_ca": "true", "connect_timeout": '5\n[other]\nuri = 1\nverify_ca = "x"'})
    assert config.source.connect_timeout == 5.0
    assert config.warnings == ()


def test_toml_1_1_is_read(files: Files) -> None:
    """What Kanidm's parser takes, a table over several lines with a comma at its end, is taken."""
    config = files.load('headers = {\n  "X-One" = "1",\n  "X-Two" = "2",\n}\n')
    assert config.mail.headers == (("X-One", "1"), ("X-Two", "2"))


def test_a_byte_order_mark_is_no_fault(files: Files) -> None:
    """An editor's mark at the beginning of a file is skipped, and lines keep their numbers."""
    files.write("\ufeff" + lines(SENDER), "\ufeff" + lines(CLIENT))
    assert load(files.client, files.sender).warnings == ()
    files.write("\ufeff" + lines({**SENDER, "token": "5"}))
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert only(caught.value.faults).line == 1


@pytest.mark.parametrize(
    ("text", "retry"),
    [
        ("message_retries = 0\nmax_age_seconds = 60", RetryConfig(0, timedelta(minutes=1))),
        ("message_retries = 100\nmax_age_seconds = 2592000", RetryConfig(100, timedelta(days=30))),
    ],
)
def test_retries_have_their_bounds(files: Files, text: str, retry: RetryConfig) -> None:
    """From none to a hundred, for a minute to thirty days."""
    assert files.load(f"[retry]\n{text}\n").sender.retry == retry


def test_every_file_that_has_a_say_is_named(files: Files, pems: dict[str, Path]) -> None:
    """Both configs, and each PEM file that they name: a change of any of them is a change of the configuration."""
    assert files.load().files == (files.client, files.sender)
    named = {"ca_path": "ca", "client_cert_path": "cert", "client_key_path": "key"}
    relay = "".join(f"{key} = '{pems[name]}'\n" for key, name in named.items())
    config = files.load(f"[relay]\n{relay}", {"ca_path": f'"{pems["ca"]}"'})
    assert config.files == (files.client, files.sender, pems["ca"], pems["ca"], pems["cert"], pems["key"])


@pytest.mark.parametrize("wrapped", ["  {}", "{}\\n", "\\t{}\\r\\n \\n"])
def test_a_token_is_trimmed(files: Files, wrapped: str) -> None:
    """Space and line breaks around a pasted token are cut off."""
    assert files.load(token=f'"{wrapped.format("abc.def")}"').source.token.get_secret_value() == "abc.def"


@pytest.mark.parametrize(
    "address",
    ["idm@corp.local", "idm@localhost", "idm@mail.test", "idm@x.invalid", "a.b+c@example.com", "x@home.arpa"],
)
def test_special_use_and_dotless_domains_are_valid(files: Files, address: str) -> None:
    """Domains that exist only inside a company are good for From and Reply-To."""
    config = files.load(mail_from_address=f'"{address}"', mail_reply_to_address=f'"{address}"')
    assert (config.mail.from_address, config.mail.reply_to_address) == (address, address)


def test_a_domain_goes_out_in_ascii(files: Files) -> None:
    """An international domain becomes its A-labels (RFC 5890) in From and in EHLO."""
    config = files.load(mail_from_address='"idm@münchen.example"')
    assert config.mail.from_address == "idm@xn--mnchen-3ya.example"
    assert relay_of(config).local_name == "xn--mnchen-3ya.example"


def test_the_ehlo_name_is_the_tables_then_the_urls_then_froms_domain(files: Files) -> None:
    """`[relay] local_name` goes over the URL's path, which goes over the domain of the From address."""
    url = '"smtps://relay.example.com/from-url.example"'
    assert relay_of(files.load()).local_name == "example.com"
    assert relay_of(files.load(mail_relay=url)).local_name == "from-url.example"
    assert (
        relay_of(files.load('[relay]\nlocal_name = "table.example"\n', mail_relay=url)).local_name == "table.example"
    )
    assert relay_of(files.load('[relay]\nlocal_name = "[192.0.2.1]"\n')).local_name == "[192.0.2.1]"


# Logins


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


# Faults, one by one

FAULTS: list[tuple[dict[str, str | None], str, str]] = [
    ({"token": None}, "token", "is missing"),
    ({"token": '""'}, "token", "empty"),
    ({"token": '"abc\\ndef"'}, "token", "line break"),
    ({"token": '"abc def"'}, "token", "7 characters"),
    ({"token": "5"}, "token", "text in quotes"),
    ({"instance_display_name": None}, "instance_display_name", "is missing"),
    ({"instance_display_name": '" "'}, "instance_display_name", "one line of text"),
    ({"instance_display_name": '"a\\nBcc: x@example.com"'}, "instance_display_name", "one line of text"),
    ({"instance_url": '"idm.example.com"'}, "instance_url", '"idm.example.com"'),
    ({"instance_url": '"ftp://idm.example.com"'}, "instance_url", "expected a URL"),
    ({"instance_url": '"https://"'}, "instance_url", "expected a URL"),
    ({"instance_url": '"https://idm.example.com:99999"'}, "instance_url", "expected a URL"),
    ({"instance_url": '"https://idm.example.com/a b"'}, "instance_url", "expected a URL"),
    ({"instance_url": '"https://idm\\u0007.example.com"'}, "instance_url", "expected a URL"),
    ({"mail_from_address": '"Identity <idm@example.com>"'}, "mail_from_address", "expected a bare address"),
    ({"mail_from_address": '"idm"'}, "mail_from_address", "expected a bare address"),
    ({"mail_from_address": '"idm@example.com\\nBcc: x@y"'}, "mail_from_address", "expected a bare address"),
    ({"mail_from_address": '"jürgen@example.com"'}, "mail_from_address", "expected a bare address"),
    ({"mail_reply_to_address": '"a@b@c"'}, "mail_reply_to_address", "expected a bare address"),
    ({"mail_reply_to_address": '"jürgen@example.com"'}, "mail_reply_to_address", "expected a bare address"),
    ({"mail_relay": '"http://relay.example.com"'}, "mail_relay", "smtps://host[:465]"),
    ({"mail_relay": '""'}, "mail_relay", "smtps://host[:465]"),
    ({"mail_relay": '"smtps://relay.example.com/two words"'}, "mail_relay", "expected"),
    ({"mail_username": "5"}, "mail_username", "text in quotes"),
    ({"mail_password": "5"}, "mail_password", "text in quotes"),
    ({"mail_username": "[]", "mail_password": '""'}, "mail_username", "text in quotes"),
    ({"mail_username": "{}", "mail_password": '""'}, "mail_username", "text in quotes"),
    ({"mail_connect_timeout_seconds": '"15"'}, "mail_connect_timeout_seconds", "a whole number without quotes"),
    ({"mail_connect_timeout_seconds": "0"}, "mail_connect_timeout_seconds", "at least 1"),
    ({"mail_connect_timeout_seconds": "-3"}, "mail_connect_timeout_seconds", "-3"),
    ({"mail_connect_timeout_seconds": "1.5"}, "mail_connect_timeout_seconds", "1.5"),
    ({"mail_connect_timeout_seconds": "true"}, "mail_connect_timeout_seconds", "true"),
    ({"mail_connect_timeout_seconds": "99999999"}, "mail_connect_timeout_seconds", "at most"),
    ({"schedule": '"*/5 * * * *"'}, "schedule", "5 fields"),
    ({"schedule": '"0 0 0 30 2 * *"'}, "schedule", "never fires"),
    ({"schedule": '"0 0 0 * * * 2020"'}, "schedule", "never fires"),
    ({"schedule": "5"}, "schedule", "text in quotes"),
]


@pytest.mark.parametrize(("changes", "key", "words"), FAULTS)
def test_a_bad_value_is_reported_with_file_line_and_key(
    files: Files, changes: dict[str, str | None], key: str, words: str
) -> None:
    """Each fault names its file, its line where it has one, its key, what stood there and what was expected."""
    fault = only(files.faults(**changes))
    written = [line.partition(" ")[0] for line in files.sender.read_text().splitlines()]
    expected_line = written.index(key) + 1 if key in written else None
    assert (fault.path, fault.key, fault.line) == (files.sender, key, expected_line)
    assert words in str(fault)
    assert str(fault).startswith(f"{files.sender}:{expected_line}: " if expected_line else f"{files.sender}: {key}")


CLIENT_FAULTS: list[tuple[dict[str, str | None], str, str]] = [
    ({"uri": None}, "uri", "is missing"),
    ({"uri": '"idm.example.com"'}, "uri", "expected a URL"),
    ({"uri": '"https://idm\\u0007.example.com"'}, "uri", "expected a URL"),
    ({"uri": "5"}, "uri", "text in quotes"),
    ({"verify_ca": '"false"'}, "verify_ca", "true or false without quotes"),
    ({"verify_hostnames": "1"}, "verify_hostnames", "true or false without quotes"),
    ({"connect_timeout": '"x"'}, "connect_timeout", "a whole number without quotes"),
    ({"ca_path": "5"}, "ca_path", "text in quotes"),
    ({"ca_path": '"/nowhere/ca.pem"'}, "ca_path", "no such file"),
    ({"ca_path": '"a\\u0000b"'}, "ca_path", "expected"),
    ({"uri": None, "url": '"https://x"'}, "url", 'did you mean "uri"?'),
    ({"verify_cert": "false", "verify_c": "true"}, "verify_c", 'did you mean "verify_ca"?'),
]


@pytest.mark.parametrize(("changes", "key", "words"), CLIENT_FAULTS)
def test_a_fault_of_the_client_config_names_that_file(
    files: Files, changes: dict[str, str | None], key: str, words: str
) -> None:
    """Kanidm's client config is checked as ours is."""
    fault = next(fault for fault in files.faults("", changes) if fault.key == key)
    assert fault.path == files.client
    assert words in str(fault)


TABLE_FAULTS = [
    ("[relay]\nlocal_nam = 'x'\n", "relay.local_nam", 'did you mean "local_name"?', 10),
    ("[relay]\nzzz = 1\n", "relay.zzz", "[relay] has ca_path", 10),
    ("[relay]\nlocal_name = 'two words'\n", "relay.local_name", "expected a host name", 10),
    ("[relay]\nlocal_name = ''\n", "relay.local_name", "expected a host name", 10),
    ('[relay]\nlocal_name = "a\\r\\nb"\n', "relay.local_name", "expected a host name", 10),
    ("[worker]\n\nbatch_size = 500\n", "worker.batch_size", "[worker] has stop_grace_seconds", 11),
    ("[retry]\n\nmessage_retries = -1\n", "retry.message_retries", "at least 0", 11),
    ("[retry]\nmessage_retries = 101\n", "retry.message_retries", "at most 100", 10),
    ("[retry]\nmessage_retries = 2.5\n", "retry.message_retries", "a whole number", 10),
    ("[retry]\nmessage_retries = true\n", "retry.message_retries", "a whole number", 10),
    ("[retry]\nmessage_retry = 5\n", "retry.message_retry", 'did you mean "message_retries"?', 10),
    ("[retry]\nmax_age_seconds = 59\n", "retry.max_age_seconds", "at least 60", 10),
    ("[retry]\nmax_age_seconds = 2592001\n", "retry.max_age_seconds", "at most 2592000", 10),
    ("[ledger]\npath = ''\n", "ledger.path", "an empty text", 10),
    ("[ledger]\npath = 5\n", "ledger.path", "text in quotes", 10),
    ("[ledger]\nkind = 'postgres'\n", "ledger.kind", '"postgres"; expected', 10),
    ("[ledger]\nkin = 'memory'\n", "ledger.kin", 'did you mean "kind"?', 10),
    ("retry = 5\n", "retry", "a table", 9),
    ("[worker]\nstop_grace_seconds = -1\n", "worker.stop_grace_seconds", "at least 0", 10),
    ("[worker]\nstop_grace_seconds = nan\n", "worker.stop_grace_seconds", "nan", 10),
    ("[worker]\nstop_grace_seconds = inf\n", "worker.stop_grace_seconds", "inf", 10),
    ("[observe]\nlog_format = 'xml'\n", "observe.log_format", '"xml"; expected', 10),
    ("[observe]\nlevel = 'x'\n", "observe.level", "[observe] has log_format", 10),
    ("[observe]\n[observe.deeper]\nx = 1\n", "observe.deeper", "unknown key", 10),
    ("retry.message_retries = '5'\n", "retry.message_retries", "a whole number", 9),
    ("relay = 5\n", "relay", "a table", 9),
    ("headers = 'x'\n", "headers", "a table", 9),
    ("[headers]\nX-Tag = 5\n", "headers.X-Tag", "text in quotes", 10),
    ("[headers]\n'X Tag' = 'x'\n", "headers.X Tag", "not a header name", 10),
    ("[headers]\n'X-Tag:' = 'x'\n", "headers.X-Tag:", "not a header name", 10),
    ("[headers]\n'' = 'x'\n", "headers.", "not a header name", 10),
    ("[headers]\n'X-Täg' = 'x'\n", "headers.X-Täg", "not a header name", 10),
    ("[headers]\nX-Tag = ' '\n", "headers.X-Tag", "one line of ASCII", 10),
    ("[headers]\nX-Tag = 'grün'\n", "headers.X-Tag", "one line of ASCII", 10),
    ('[headers]\nX-Tag = "a\\r\\nBcc: x@y.example"\n', "headers.X-Tag", "one line of ASCII", 10),
]


@pytest.mark.parametrize(("text", "key", "words", "line"), TABLE_FAULTS)
def test_a_fault_in_one_of_our_tables_has_its_line(files: Files, text: str, key: str, words: str, line: int) -> None:
    """In our tables an unknown key is an error like a wrong value, at its own line."""
    fault = only(files.faults(text))
    assert (fault.key, fault.line) == (key, line)
    assert words in str(fault)


def test_a_header_stands_there_once(files: Files) -> None:
    """To programs that read it, `X-Foo` and `x-foo` are one."""
    fault = only(files.faults("[headers]\nX-Foo = 'a'\nx-foo = 'b'\n"))
    assert (fault.key, fault.found) == ("headers.x-foo", "is set twice")


@pytest.mark.parametrize(
    "name",
    ["From", "to", "SUBJECT", "Bcc", "Cc", "Date", "Message-ID", "Reply-To", "Sender", "Content-Type", "MIME-Version",
     "Auto-Submitted", "Return-Path", "Received", "DKIM-Signature", "Content-Transfer-Encoding", "Resent-From"],
)  # fmt: skip
def test_a_header_of_ours_cannot_be_set(files: Files, name: str) -> None:
    """What mail-sender writes itself is refused among the extra headers, in any case."""
    fault = only(files.faults(f"[headers]\n{name} = 'x'\n"))
    assert (fault.key, fault.found) == (f"headers.{name}", "is written by mail-sender itself")


def test_a_key_within_two_mails_of_a_known_one_is_a_fault(files: Files) -> None:
    """A misspelt key is an error that names the one that was meant."""
    for misspelt, meant in (("mail_relayy", "mail_relay"), ("tokne", "token"), ("schedul", "schedule")):
        faults = {fault.key: fault for fault in files.faults(**{meant: None, misspelt: '"x"'})}
        assert faults[misspelt].expected == f'did you mean "{meant}"?'
        assert faults[misspelt].line is not None


def test_any_other_unknown_key_is_only_warned_of(files: Files) -> None:
    """A key of some newer Kanidm does not keep the sender from running."""
    (warning,) = files.load(mail_queue_depth="5").warnings
    assert warning == f'{files.sender}:9: unknown key "mail_queue_depth" is ignored'


def test_all_faults_of_both_files_are_reported_at_once(files: Files) -> None:
    """Nine faults in two files make nine lines, under their count, and exit code 78."""
    with pytest.raises(ConfigError) as caught:
        files.load(
            "[relay]\nclient_cert_path = 'x'\nlocal_nam = 'x'\n[headers]\nFrom = 'x'\n",
            {"uri": '"x"', "verify_ca": "0"},
            token=None, instance_url='"x"', mail_from_address='"x"', mail_password=None,
        )  # fmt: skip
    keys = {fault.key for fault in caught.value.faults}
    assert keys == {
        "uri", "verify_ca", "token", "instance_url", "mail_from_address", "mail_username",
        "relay.client_cert_path", "relay.local_nam", "headers.From",
    }  # fmt: skip
    first, *rest = str(caught.value).splitlines()
    assert (first, len(rest)) == ("9 faults in the configuration", 9)
    assert caught.value.exit_code == Exit.BAD_CONFIG


# Files that cannot be read

BROKEN = [
    ("a = 1\nb = \n", 2, "not TOML"),
    ("a = 1\n\n[x\n", 3, "not TOML"),
    ("a = 1\na = 2\n", 2, "not TOML"),
    ('a = "x\n', 1, "not TOML"),
    ("token = eyJhbGciOi\n", 1, "not TOML"),
    ("x = " + "[" * 5000, 1, ""),
]


@pytest.mark.parametrize(("text", "line", "words"), BROKEN)
def test_a_syntax_error_is_reported_with_its_line(files: Files, text: str, line: int, words: str) -> None:
    """What is not TOML is one fault of its file, at the line where it stops making sense."""
    files.write(text)
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    fault = only(caught.value.faults)
    assert fault.path == files.sender
    assert fault.line in {line, None} if "[[[" in text else fault.line == line
    assert words in fault.found


def test_a_missing_file_is_a_fault(files: Files) -> None:
    """Both files may be missing at once; that is exit code 78."""
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert [(fault.path, fault.found) for fault in caught.value.faults] == [
        (files.client, "no such file"),
        (files.sender, "no such file"),
    ]
    assert caught.value.exit_code == Exit.BAD_CONFIG


def test_a_folder_in_place_of_a_file_is_explained(files: Files) -> None:
    """A container engine makes a folder where a mounted file is missing, which is said."""
    files.write(lines(SENDER))
    files.sender.unlink()
    files.sender.mkdir()
    with pytest.raises(ConfigError, match=r"is a folder; .*container engine"):
        load(files.client, files.sender)


def test_what_is_not_utf_8_is_reported_by_its_byte(files: Files) -> None:
    """A file in another encoding is one fault that says which byte."""
    files.write(lines(SENDER))
    files.sender.write_bytes(b'instance_display_name = "caf\xe9"\n')
    with pytest.raises(ConfigError, match="byte 28 is not UTF-8"):
        load(files.client, files.sender)


def test_an_unreadable_file_tells_whose_it_is_and_exits_77(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where reading is not permitted, owner, mode and our own uid are said, and the exit code is 77."""
    files.write(lines(SENDER))
    opened: Callable[..., object] = Path.open

    def refuse(path: Path, *args: object) -> object:
        if path == files.sender:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *args)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    status = files.sender.stat()
    assert f"owner {status.st_uid}:{status.st_gid}, mode 0600" in str(caught.value)
    assert f"uid {os.geteuid()}" in str(caught.value)
    assert caught.value.exit_code == Exit.NOT_ALLOWED


def test_strings_over_several_lines_do_not_confuse_line_numbers(files: Files) -> None:
    """What looks like keys and tables inside a long string is not one; what follows has its true line."""
    long = '"""\ntoken = 1\n[relay]\nmail_relay = 2\n"""'
    faults = files.faults(note_of_ours=long, last_words="'''\ntoken = 3'''", mail_connect_timeout_seconds="0")
    fault = only(faults)
    assert (fault.key, fault.line) == ("mail_connect_timeout_seconds", 9 + 5 + 2)


@pytest.mark.parametrize("odd", ["\u2028", "\u2029", "\u0085"])
def test_only_line_feeds_count_as_lines(files: Files, odd: str) -> None:
    """Unicode's own line separators inside a value or comment do not move the lines below them (TOML 1.0)."""
    files.write(f"# one{odd}still one\n" + lines({**SENDER, "mail_connect_timeout_seconds": "0"}))
    with pytest.raises(ConfigError) as caught:
        load(files.client, files.sender)
    assert only(caught.value.faults).line == len(SENDER) + 2


def test_keys_are_found_in_every_spelling(files: Files) -> None:
    """Quoted, dotted and indented keys have their lines, too."""
    assert only(files.faults('  "mail_connect_timeout_seconds"  =  0\n')).line == 9
    assert only(files.faults('retry . "message_retries" = -1\n')).line == 9
    assert only(files.faults("[ retry ] # pace\n\tmessage_retries=-1\n")).line == 10


# Certificates


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give PEM files: a CA, a certificate with its key, another one's key, an encrypted key, and no PEM."""
    folder = tmp_path_factory.mktemp("pems")
    authority = trustme.CA()
    one, other = authority.issue_cert("one.example"), authority.issue_cert("other.example")
    texts = {
        "ca": authority.cert_pem.bytes(),
        "cert": one.cert_chain_pems[0].bytes(),
        "key": one.private_key_pem.bytes(),
        "other": other.private_key_pem.bytes(),
        "both": one.private_key_and_cert_chain_pem.bytes(),
        "nothing": b"hello\n",
        "broken": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    return {name: folder / name for name in texts}


def test_a_ca_and_a_whole_client_certificate_load(files: Files, pems: dict[str, Path]) -> None:
    """CA, certificate and key arrive as paths; certificate and key may be one file."""
    for cert, key in (("cert", "key"), ("both", "both")):
        config = files.load(
            f"[relay]\nca_path = '{pems['ca']}'\nclient_cert_path = '{pems[cert]}'\nclient_key_path = '{pems[key]}'\n",
            {"ca_path": f"'{pems['ca']}'"},
        )
        assert (config.source.ca_path, relay_of(config).ca_path) == (pems["ca"], pems["ca"])
        assert (relay_of(config).client_cert_path, relay_of(config).client_key_path) == (pems[cert], pems[key])


PAIRS = [
    ("cert", None, "client_key_path is not"),
    (None, "key", "client_cert_path is not"),
    ("cert", "other", "not the certificate's"),
    ("nothing", "key", "holds no PEM certificate"),
    ("cert", "nothing", "holds no PEM private key"),
    ("cert", "cert", "holds no PEM private key"),
    ("broken", "key", "cannot be read"),
    ("missing", "key", "no such file"),
]


@pytest.mark.parametrize(("cert", "key", "words"), PAIRS)
def test_half_or_unusable_client_certificates_are_faults(
    files: Files, pems: dict[str, Path], cert: str | None, key: str | None, words: str
) -> None:
    """A certificate without its key, the wrong key, or what is no PEM, is said before anything is tried."""
    paths = {"client_cert_path": cert, "client_key_path": key}
    table = "".join(f"{name} = '{pems.get(pem, '/nowhere')}'\n" for name, pem in paths.items() if pem)
    fault = only(files.faults(f"[relay]\n{table}"))
    assert fault.key.startswith("relay.client_")
    assert words in str(fault)
    assert "PRIVATE" not in str(fault).replace("PEM PRIVATE", "")


@pytest.mark.parametrize("pem", ["nothing", "broken", "key"])
def test_a_ca_that_is_none_is_a_fault(files: Files, pems: dict[str, Path], pem: str) -> None:
    """For server and relay alike, a CA file must hold a certificate that can be read."""
    faults = files.faults(f"[relay]\nca_path = '{pems[pem]}'\n", {"ca_path": f"'{pems[pem]}'"})
    assert [(fault.path, fault.key) for fault in faults] == [
        (files.client, "ca_path"),
        (files.sender, "relay.ca_path"),
    ]
    assert all("PEM certificate" in fault.found for fault in faults)


# Warnings

WARNINGS: list[tuple[dict[str, str | None], dict[str, str | None], str]] = [
    ({"verify_ca": "false"}, {}, "verify_ca = false"),
    ({"verify_hostnames": "false"}, {}, "verify_hostnames = false"),
    ({"uri": '"http://idm.example.com"'}, {}, "uri is http://"),
    ({}, {"instance_url": '"http://idm.example.com"'}, "instance_url is http://"),
]


@pytest.mark.parametrize(("client", "sender", "words"), WARNINGS)
def test_what_works_but_is_weak_is_warned_of(
    files: Files, client: dict[str, str | None], sender: dict[str, str | None], words: str
) -> None:
    """Checks that are switched off, and links or servers without TLS, are obeyed with one warning."""
    (warning,) = files.load("", client, **sender).warnings
    assert words in warning


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, False), (0o644, True), (0o602, True)])
def test_a_file_open_to_everybody_is_warned_of(files: Files, mode: int, *, warned: bool) -> None:
    """The file with the secrets should be closed to others; its group may read it."""
    files.load()
    files.sender.chmod(mode)
    assert any("open to everybody" in text for text in load(files.client, files.sender).warnings) == warned


# Secrets

TOKEN, PASSWORD, URL_PASSWORD = "tok-3n.s3cr3t-0123456789", "pa55-w0rd-s3cr3t", "ur1-pa55-s3cr3t"
SECRETS = (TOKEN, PASSWORD, URL_PASSWORD)
SECRET_FILE = lines(
    {
        **SENDER,
        "token": f'"{TOKEN}"',
        "mail_password": f'"{PASSWORD}"',
        "mail_relay": f'"smtps://me:{URL_PASSWORD}@relay.example.com"',
    }
)


def shown_of(text: str, secrets: tuple[str, ...]) -> str:
    """Return what of the secrets stands in a text: any piece of eight characters."""
    pieces = (secret[at : at + 8] for secret in secrets for at in range(max(1, len(secret) - 7)))
    return next((piece for piece in pieces if piece in text), "")


def said(files: Files, text: str) -> str:
    """Return all that is said when a mail-sender config with this text is loaded."""
    files.write(text)
    try:
        config = load(files.client, files.sender)
    except ConfigError as error:
        return f"{error} {error.faults!r}"
    # Where the end of a login is all that was cut off, the rest of it is a part of the host's name.
    return f"{replace(config, relay=replace(relay_of(config), host='relay'))!r} {config.warnings}"


@st.composite
def breakages(draw: st.DrawFn) -> str:
    """Return the file with secrets, broken in one to three places."""
    text = SECRET_FILE
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(text)))
        end = start + draw(st.integers(0, 12))
        junk = draw(
            st.sampled_from(["", '"', "'", "\n", "=", "[", "]", "#", "x", "\\", "{", " ", "é", "@", "://", "/"])
        )
        text = text[:start] + junk + text[end:]
    return text


@given(text=breakages())
@settings(max_examples=400, deadline=None)
def test_no_breakage_of_the_file_shows_a_secret(many: Files, text: str) -> None:
    """Wherever the file is cut, doubled or misquoted, no error, warning or repr holds a secret."""
    assert shown_of(said(many, text), SECRETS) == ""


SECRET_TEXT = st.text(st.characters(codec="ascii", exclude_characters="\r\n"), min_size=12, max_size=60)


@given(token=SECRET_TEXT, password=SECRET_TEXT, wrong=st.sampled_from(["", "5", "true", "[{}]", "{{x = {}}}"]))
@settings(max_examples=150, deadline=None)
def test_no_secret_is_shown_whatever_it_is(many: Files, token: str, password: str, wrong: str) -> None:
    """Random tokens and passwords, in good values and in values of the wrong type, beside other faults."""
    token, password = f"T0k{token}n", f"Pa5{password}s"
    values = {
        **SENDER,
        "token": json.dumps(token) if "{}" not in wrong else wrong.format(json.dumps(token)),
        "mail_password": json.dumps(password),
        "instance_url": '"x"',
    }
    text = said(many, lines(values))
    assert token not in text
    assert password not in text


MISPLACED = [
    f'mail_relay = "me:{PASSWORD}@relay.example.com"',
    f'mail_relay = "me:{PASSWORD}@smtps://relay.example.com"',
    f'mail_relay = "http://me:{PASSWORD}@relay.example.com"',
    f'mail_relay = ["smtps://me:{PASSWORD}@relay.example.com"]',
    f'relay = "smtps://me:{PASSWORD}@relay.example.com"',
    f'relay = "smtps://me:a/b-{PASSWORD}@relay.example.com"',
    f'relay = "smtps://me:a@b-{PASSWORD}@relay.example.com"',
    f'relay = "me:{PASSWORD}@relay.example.com"',
    f'schedule = "smtps://me:a/b-{PASSWORD}@relay.example.com"',
    f'instance_url = "https://me:a/b-{PASSWORD}@idm.example.com"',
    f'[relay]\npassword = "{PASSWORD}"',
    f'[relay.password]\nx = "{PASSWORD}"',
    f'tokens = "{PASSWORD}"',
    f'mail_passwort = "{PASSWORD}"',
    f"mail_passwort = {PASSWORD}",
    f'worker = ["{PASSWORD}"]',
]


@pytest.mark.parametrize("text", MISPLACED)
def test_a_misplaced_secret_is_not_shown(many: Files, text: str) -> None:
    """A password under a wrong key, or in a URL that is not one, is hidden with all that surrounds it."""
    key = text.partition(" ")[0]
    assert shown_of(said(many, lines({**SENDER, key: None}) + text + "\n"), (PASSWORD,)) == ""


def test_the_secrets_of_the_configuration_are_known_to_the_log(files: Files) -> None:
    """Token and password are listed for redaction, and neither shows in the configuration's repr."""
    config = files.load()
    assert config.secrets == {"eyJhbGciOi.eyJpc3Mi.c2lnbmF0dXJl", "correct horse"}
    assert shown_of(repr(config), tuple(config.secrets)) == ""


# What loads works


URIS = [
    "https://idm.example.com/", "HTTPS://IDM.EXAMPLE.COM", "https://[2001:db8::1]:8443", "https://bücher.example",
    "https://me:pw@idm.example.com", "https://idm.example.com?x=1#y", "https://a..b", "https://-x-.example",
    "https://[::1", "https://x:y", "https://\u202eidm.example", "https://idm_.example", "https://%41.example",
    f"https://{'a' * 300}.example", "https://xn--.example", "https://ä\u0301\u200d.example", "https://1.2.3.4.5",
]  # fmt: skip


@pytest.mark.parametrize("uri", URIS)
async def test_a_uri_that_loads_can_be_asked(files: Files, uri: str) -> None:
    """Whatever stands in `uri` is either a fault of the configuration, or an address that a client can be made for."""
    try:
        config = files.load("", {"uri": json.dumps(uri, ensure_ascii=False)})
    except ConfigError:
        return
    await KanidmSource(config.source).close()


def test_a_schedule_that_loads_has_a_tick_to_come(files: Files) -> None:
    """The first tick of the default schedule is within five seconds."""
    now = datetime.now(UTC)
    tick = files.load().sender.schedule.next_after(now)
    assert tick is not None
    assert timedelta() < tick - now <= timedelta(seconds=5)


# A dry run

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
        assert ("from-the-url" in config.secrets) == (relay is not None)


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


def test_the_relays_kind_does_not_change_under_a_running_sender(files: Files) -> None:
    """What was sent and what was only written down would share a ledger; any other change counts."""
    before = files.load()
    files.load(FOLDER)
    with pytest.raises(ConfigError, match=r"relay\.kind"):
        load_anew(before, files.client, files.sender)
    files.load(mail_relay="'smtps://other.example.com'")
    assert relay_of(load_anew(before, files.client, files.sender)).host == "other.example.com"


def test_an_extra_header_that_makes_too_long_a_line_is_a_fault(files: Files) -> None:
    """Relays refuse such a line, or break it where they like."""
    files.load(f'[headers]\nX-SES-SOURCE-ARN = "{"x" * 900}"\n')
    (fault,) = files.faults(f'[headers]\nX-SES-SOURCE-ARN = "{"x" * 980}"\n')
    assert "980 characters" in str(fault)


def test_swapped_files_are_reported_in_one_line(files: Files) -> None:
    """Instead of every key of each as a fault of the other."""
    files.load()
    with pytest.raises(ConfigError) as caught:
        load(files.sender, files.client)
    assert str(caught.value).count("\n") == 1
    assert "swap -c and -m" in str(caught.value)
