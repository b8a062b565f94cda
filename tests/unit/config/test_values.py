"""Which values the keys take, and what is said of the others."""

import json
from datetime import timedelta

import pytest

from mail_sender.errors import ConfigError
from mail_sender.sender.config import RetryConfig
from mail_sender.source.kanidm import KanidmSource
from tests.support.config_files import Files, only
from tests.support.configs import relay_of


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


FAULTS: list[tuple[dict[str, str | None], str, str]] = [
    ({"token": None}, "token", "is missing"),
    ({"token": '""'}, "token", "empty"),
    ({"token": '"abc\\ndef"'}, "token", "line break"),
    ({"token": '"abc def"'}, "token", "7 characters"),
    ({"token": "'\"abc.def\"'"}, "token", "a quote"),
    ({"instance_display_name": '" "'}, "instance_display_name", "one line of text"),
    ({"instance_display_name": '"a\\nBcc: x@example.com"'}, "instance_display_name", "one line of text"),
    ({"instance_url": '"idm.example.com"'}, "instance_url", '"idm.example.com"'),
    ({"instance_url": '"https://idm.example.com:99999"'}, "instance_url", "expected a URL"),
    ({"instance_url": '"https://idm\\u0007.example.com"'}, "instance_url", "expected a URL"),
    ({"mail_from_address": '"Identity <idm@example.com>"'}, "mail_from_address", "expected a bare address"),
    ({"mail_from_address": '"jürgen@example.com"'}, "mail_from_address", "expected a bare address"),
    ({"mail_reply_to_address": '"a@b@c"'}, "mail_reply_to_address", "expected a bare address"),
    ({"mail_relay": '"http://relay.example.com"'}, "mail_relay", "smtps://host[:465]"),
    ({"mail_relay": '"2001:db8::25"'}, "mail_relay", "an IPv6 address without brackets"),
    ({"mail_relay": '"smtps://relay.example.com/two words"'}, "mail_relay", "expected"),
    ({"mail_username": "5"}, "mail_username", "text in quotes"),
    ({"mail_username": "[]", "mail_password": '""'}, "mail_username", "text in quotes"),
    ({"mail_connect_timeout_seconds": '"15"'}, "mail_connect_timeout_seconds", "a whole number without quotes"),
    ({"mail_connect_timeout_seconds": "0"}, "mail_connect_timeout_seconds", "at least 1"),
    ({"mail_connect_timeout_seconds": "1.5"}, "mail_connect_timeout_seconds", "1.5"),
    ({"mail_connect_timeout_seconds": "99999999"}, "mail_connect_timeout_seconds", "at most"),
    ({"schedule": '"*/5 * * * *"'}, "schedule", "5 fields"),
    ({"schedule": '"0 0 0 30 2 * *"'}, "schedule", "never fires"),
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
    ({"verify_ca": '"false"'}, "verify_ca", "true or false without quotes"),
    ({"connect_timeout": '"x"'}, "connect_timeout", "a whole number without quotes"),
    ({"ca_path": '"/nowhere/ca.pem"'}, "ca_path", "no such file"),
    ({"ca_path": '"a\\u0000b"'}, "ca_path", "expected"),
    ({"uri": None, "url": '"https://x"'}, "url", 'did you mean "uri"?'),
    ({"uri": None, "URI": '"https://x"'}, "URI", 'did you mean "uri"?'),
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
    ('[relay]\nlocal_name = "a\\r\\nb"\n', "relay.local_name", "expected a host name", 10),
    ("[retry]\n\nmessage_retries = -1\n", "retry.message_retries", "at least 0", 11),
    ("[retry]\nmessage_retries = 101\n", "retry.message_retries", "at most 100", 10),
    ("[retry]\nmessage_retries = 2.5\n", "retry.message_retries", "a whole number", 10),
    ("[retry]\nmax_age_seconds = 59\n", "retry.max_age_seconds", "at least 60", 10),
    ("[retry]\nmax_age_seconds = 2592001\n", "retry.max_age_seconds", "at most 2592000", 10),
    ("[ledger]\npath = ''\n", "ledger.path", "an empty text", 10),
    ("[ledger]\nkind = 'postgres'\n", "ledger.kind", '"postgres"; expected', 10),
    ("[worker]\nstop_grace_seconds = -1\n", "worker.stop_grace_seconds", "at least 0", 10),
    ("[worker]\nstop_grace_seconds = nan\n", "worker.stop_grace_seconds", "nan", 10),
    ("[observe]\nlog_format = 'xml'\n", "observe.log_format", '"xml"; expected', 10),
    ("[observe]\nlisten = ':9310'\n", "observe.listen", 'such as "127.0.0.1:9310"', 10),
    ("[observe]\nlisten = 'relay.example:9310'\n", "observe.listen", "no IP address", 10),
    ("[doctor]\ndkim_selectors = 's1'\n", "doctor.dkim_selectors", "list", 10),
    ("[doctor]\ndkim_selectors = [1]\n", "doctor.dkim_selectors.0", "text", 10),
    ("[doctor]\ndkim_selectors = ['s 1']\n", "doctor.dkim_selectors", "s= of a DKIM-Signature", 10),
    ("[doctor]\nnameservers = ['127.0.0.1', 'ns.example.com']\n", "doctor.nameservers", "expected an IP address", 10),
    ("[doctor]\nnameservers = ['127.0.0.1:0']\n", "doctor.nameservers", "port 0 does not exist", 10),
    ("[doctor]\ntrusted_authserv_id = ''\n", "doctor.trusted_authserv_id", "one line of text", 10),
    ("[observe]\n[observe.deeper]\nx = 1\n", "observe.deeper", "unknown key", 10),
    ("retry.message_retries = '5'\n", "retry.message_retries", "a whole number", 9),
    ("headers = 'x'\n", "headers", "a table", 9),
    ("[headers]\nX-Tag = 5\n", "headers.X-Tag", "text in quotes", 10),
    ("[headers]\n'X Tag' = 'x'\n", "headers.X Tag", "not a header name", 10),
    ("[headers]\n'' = 'x'\n", "headers.", "not a header name", 10),
    ("[headers]\nX-Tag = 'grün'\n", "headers.X-Tag", "one line of ASCII", 10),
    ('[headers]\nX-Tag = "a\\r\\nBcc: x@y.example"\n', "headers.X-Tag", "one line of ASCII", 10),
]


@pytest.mark.parametrize(("text", "key", "words", "line"), TABLE_FAULTS)
def test_a_fault_in_one_of_our_tables_has_its_line(files: Files, text: str, key: str, words: str, line: int) -> None:
    """In our tables an unknown key is an error like a wrong value, at its own line."""
    fault = only(files.faults(text))
    assert (fault.key, fault.line) == (key, line)
    assert words in str(fault)


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


def test_every_name_beyond_ascii_goes_out_by_idna_2008(files: Files) -> None:
    """Once, when the configuration is read: nothing later sees another spelling."""
    config = files.load(
        "[relay]\nlocal_name = 'idm.straße.example'\n",
        {"uri": '"https://IDM.straße.example:8443"'},
        instance_url='"https://id.faß.example:444/?theme=dark"',
        mail_relay='"smtps://smtp.straße.example:4650"',
        mail_from_address='"idm@straße.example"',
        mail_reply_to_address='"help@βόλος.example"',
    )
    relay = relay_of(config)
    assert (relay.host, relay.local_name) == ("smtp.xn--strae-oqa.example", "idm.xn--strae-oqa.example")
    assert config.source.uri == "https://idm.xn--strae-oqa.example:8443"
    assert config.mail.instance_url == "https://id.xn--fa-hia.example:444/?theme=dark"
    assert config.mail.from_address == "idm@xn--strae-oqa.example"
    assert config.mail.reply_to_address == "help@xn--nxasmm1c.example"


LITERALS = {
    "[IPv6:2001:db8::25]": "[IPv6:2001:db8::25]", "[ipv6:2001:DB8::25]": "[IPv6:2001:DB8::25]",
    "[192.0.2.1]": "[192.0.2.1]", "[IPv6:::ffff:192.0.2.1]": "[IPv6:::ffff:192.0.2.1]",
}  # fmt: skip


@pytest.mark.parametrize("text", LITERALS)
def test_the_name_for_ehlo_may_be_an_address_as_smtp_writes_it(files: Files, text: str) -> None:
    """RFC 5321, section 4.1.3; in the URL's path, too."""
    assert relay_of(files.load(f"[relay]\nlocal_name = '{text}'\n")).local_name == LITERALS[text]
    assert relay_of(files.load(mail_relay=f'"smtps://relay.example/{text}"')).local_name == LITERALS[text]


WRONG_LITERALS = {
    "[2001:db8::25]": "[IPv6:2001:db8::25]", "2001:db8::25": "[IPv6:2001:db8::25]", "192.0.2.1": "[192.0.2.1]",
    "IPv6:2001:db8::25": "[IPv6:2001:db8::25]", "[IPv4:192.0.2.1]": "[192.0.2.1]", "[IPv6:192.0.2.1]": "[192.0.2.1]",
    "[IPv6:fe80::1%eth0]": "without a zone", "[2001:db8:25]": "expected a host name", "[192.0.2]": "expected a host name",
    "[example.com]": "expected a host name", "my_host": "expected a host name", "a..b": "expected a host name",
}  # fmt: skip


@pytest.mark.parametrize("text", WRONG_LITERALS)
def test_an_address_for_ehlo_in_another_spelling_is_a_fault_that_has_the_right_one(files: Files, text: str) -> None:
    """Without the tag for IPv6, without brackets, with a tag for IPv4."""
    assert WRONG_LITERALS[text] in only(files.faults(f"[relay]\nlocal_name = '{text}'\n")).expected
    assert WRONG_LITERALS[text] in only(files.faults(mail_relay=f'"smtps://relay.example/{text}"')).found


URL_FAULTS = {
    "https://https://idm.example.com": "twice", "https://https//idm.example.com": "twice",
    "https://http://idm.example.com": "twice", "https://idm.example.com'": "'", 'https://idm.example.com\\"': '"',
    "https://idm.example.com/\\\"": '"', "https://<your-domain>": "placeholder", "https://idm.<domain>": "<",
    "https://${IDM_DOMAIN}": "placeholder", "https://${IDM_DOMAIN}:8443/": "placeholder", "https://{{ domain }}": "placeholder",
    "https://$IDM_DOMAIN": "placeholder", "https://changeme": "placeholder", "https://your-domain/": "placeholder",
    "https://idm.example.com ": "space", "https://idm example.com": "space", "https://idm.example.com\\n": "U+000A",
    "https://idm.exam\\tple.com": "U+0009", "https://idm.example.com/\\u200b": "U+200B", "https://idm.example.com:0": "URL",
    "https://me:pw@idm.example.com": "login",
}  # fmt: skip


@pytest.mark.parametrize("url", URL_FAULTS)
def test_a_url_that_is_broken_or_was_never_filled_in_is_a_fault(files: Files, url: str) -> None:
    """The links of all mails would begin with it."""
    fault = only(files.faults(instance_url=f'"{url}"'))
    assert URL_FAULTS[url] in f"{fault.found} {fault.expected}"


PLACEHOLDERS: list[tuple[str, str]] = [
    ("token", "eyJ...paste-the-token-here"), ("token", "eyJhbGciOi..."), ("token", "<token>"), ("token", "${TOKEN}"),
    ("token", "YOUR_TOKEN"), ("token", "eyJ…"), ("token", "replace-with-token"), ("token", "changeme"), ("mail_password", "changeme"), ("mail_password", "CHANGE_ME"),
    ("mail_password", "change-this-password"), ("mail_password", "${SMTP_PASSWORD}"), ("mail_password", "$SMTP_PASSWORD"),
    ("mail_password", "<password>"), ("mail_password", "{{ smtp_password }}"), ("mail_password", "$PASSWORD"), ("mail_username", "<your user>"), ("mail_password", "your-password"),
    ("mail_password", "xxxx"), ("mail_password", "****"), ("mail_password", "TODO"),
    ("mail_password", "%SMTP_PASSWORD%"), ("mail_password", "REDACTED"), ("mail_from_address", "idm@your-domain.com"),
    ("instance_url", "https://idm.yourdomain.com"), ("mail_relay", "smtp.your-company.com"),
    ("mail_username", "<user>"), ("mail_username", "your_username"), ("mail_username", "${SMTP_USER}"),
    ("instance_display_name", "${NAME}"), ("instance_display_name", "<Your company>"), ("instance_display_name", "{{ name }}"),
    ("instance_display_name", "Example of ${COMPANY}"), ("mail_from_address", "${FROM}@example.com"),
    ("mail_from_address", "idm@${DOMAIN}"), ("mail_from_address", "changeme@example.com"), ("mail_from_address", "idm@your-domain"),
    ("mail_reply_to_address", "<support address>"), ("mail_relay", "smtps://${RELAY}"), ("mail_relay", "<relay>"),
    ("mail_relay", "changeme"), ("mail_relay", "smtps://smtps://relay.example.com"), ("mail_relay", "smtp://<host>:587"),
    ("mail_relay", "smtps://user:${PASSWORD}@relay.example.com"), ("mail_relay", "smtps://relay.example.com'"),
    ("mail_relay", "smtps://relay.example.com:${PORT}"), ("schedule", "${SCHEDULE}"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), PLACEHOLDERS)
def test_a_value_that_was_never_filled_in_is_one_fault(files: Files, key: str, value: str) -> None:
    """At start, instead of mails with broken links, or a relay that refuses the login. No secret is shown."""
    fault = only(files.faults(**{key: f'"{value}"'}))
    assert fault.key == key
    if key in {"token", "mail_password", "mail_username"}:
        assert "placeholder" in fault.found
        assert value not in str(fault)


REAL: list[tuple[str, str]] = [
    ("mail_password", "pa${x}ss"), ("mail_password", "a<b>c"), ("mail_password", "x$FOO"), ("mail_password", "Tr0ub4dor&3"),
    ("mail_password", "correct horse battery staple"), ("mail_password", "your-horse-battery-staple"),
    ("mail_password", "SG.abc...def"), ("mail_password", "$ecret9x"), ("mail_password", "$Tr0ngPass"), ("mail_password", "<Corr3ct>"), ("mail_password", "<>"[:1] + "abc"), ("mail_username", "apikey"),
    ("mail_username", "user"), ("mail_username", "idm@example.com"), ("instance_display_name", "Your Energy Ltd"),
    ("instance_display_name", "A$AP & Sons <3"), ("instance_display_name", "100% Me"), ("instance_display_name", "{Braces}"),
    ("instance_url", "https://idm.example.com/?a={b"[:-3]), ("mail_from_address", "change@example.com"),
    ("token", "eyJhbGciOi..c2lnbmF0dXJl"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value"), REAL)
def test_a_real_value_that_looks_a_little_like_one_is_taken(files: Files, key: str, value: str) -> None:
    """Above all a password, which may hold anything."""
    files.load(**{key: f'"{value}"'})


IGNORED: list[tuple[dict[str, str | None], dict[str, str | None], str]] = [
    ({}, {"instance_url": '"https://idm.example.com/kanidm"'}, 'instance_url: its path "/kanidm" is ignored'),
    ({}, {"instance_url": '"https://idm.example.com/#x"'}, "instance_url: what follows the # is ignored"),
    ({"uri": '"https://idm.example.com/v1/"'}, {}, 'uri: its path "/v1/" is ignored'),
    ({}, {"mail_relay": '"smtps://relay.example.com?tls=none"'}, "mail_relay: its query is ignored"),
]


@pytest.mark.parametrize(("client", "sender", "words"), IGNORED)
def test_a_part_of_a_url_that_has_no_effect_is_warned_of(
    files: Files, client: dict[str, str | None], sender: dict[str, str | None], words: str
) -> None:
    """Somebody wrote it for a reason."""
    (warning,) = files.load("", client, **sender).warnings
    assert words in warning


def test_a_path_of_slashes_alone_is_no_path(files: Files) -> None:
    """Many people end a URL with one."""
    assert (
        files.load("", {"uri": '"https://idm.example.com/"'}, instance_url='"https://idm.example.com/"').warnings
        == ()
    )


def test_a_placeholder_in_a_path_is_one_fault(files: Files) -> None:
    """That there is no such file is no news, then."""
    assert "placeholder" in only(files.faults("[relay]\nca_path = '${CREDENTIALS_DIRECTORY}/ca.pem'\n")).found
