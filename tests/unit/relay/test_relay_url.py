"""`mail_relay` is read in every spelling that users have tried, and a bad one never shows its password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.names.secret import Secret
from mail_sender.relay.relay_url import BadRelay, Endpoint, Security, parse

IMPLICIT, STARTTLS, DISCOVER, PLAIN = Security.IMPLICIT, Security.STARTTLS, Security.DISCOVER, Security.PLAIN

PLACES = {
    "smtps://relay.example.com": ("relay.example.com", 465, IMPLICIT),
    "smtps://relay.example.com:587": ("relay.example.com", 587, IMPLICIT),
    "smtps://relay.example.com:10465/": ("relay.example.com", 10465, IMPLICIT),
    "SMTPS://relay.example.com": ("relay.example.com", 465, IMPLICIT),
    "smtp://relay.example.com": ("relay.example.com", 587, STARTTLS),
    "relay.example.com": ("relay.example.com", 465, IMPLICIT),
    " relay.example.com ": ("relay.example.com", 465, IMPLICIT),
    "relay.example.com:25": ("relay.example.com", 25, STARTTLS),
    "relay.example.com:587": ("relay.example.com", 587, STARTTLS),
    "relay.example.com:2525": ("relay.example.com", 2525, STARTTLS),
    "relay.example.com:10025": ("relay.example.com", 10025, DISCOVER),
    "localhost:65535": ("localhost", 65535, DISCOVER),
    "smtps://[2001:db8::1]": ("2001:db8::1", 465, IMPLICIT),
    "smtp://[2001:db8::1]:2587": ("2001:db8::1", 2587, STARTTLS),
    "[2001:db8::1]:587": ("2001:db8::1", 587, STARTTLS),
    "smtps://[fe80::1%eth0]": ("fe80::1%eth0", 465, IMPLICIT),
    "smtp+insecure://127.0.0.1": ("127.0.0.1", 25, PLAIN),
    "smtp+insecure://127.8.9.10:2525/?x": ("127.8.9.10", 2525, PLAIN),
    "SMTP+Insecure://[::1]:25": ("::1", 25, PLAIN),
    "smtp+insecure://localhost": ("localhost", 25, PLAIN),
    "smtp+insecure://LOCALHOST.": ("LOCALHOST.", 25, PLAIN),
    "smtp+unix:///run/postfix/smtp.sock": ("/run/postfix/smtp.sock", 0, PLAIN),
    "smtp+unix:///run/a%20b@c:d?x": ("/run/a b@c:d", 0, PLAIN),
}


@pytest.mark.parametrize("text", PLACES)
def test_every_spelling_gives_host_port_and_security(text: str) -> None:
    """Scheme, then port, decide how TLS starts; a port that tells nothing is found out later."""
    found = parse(text)
    assert (found.host, found.port, found.security) == PLACES[text]
    assert (found.username, found.password, found.local_name) == (None, None, None)


@pytest.mark.parametrize(
    "query", ["?tls=opportunistic", "?tls=none", "/?tls=opportunistic", "#x", "?a=b&tls=wrapper"]
)
@pytest.mark.parametrize("scheme", ["smtp", "smtps"])
def test_a_query_cannot_switch_tls_off(scheme: str, query: str) -> None:
    """Whatever the query says, it is the same address as without one."""
    assert parse(f"{scheme}://relay.example.com{query}") == parse(f"{scheme}://relay.example.com")


def test_the_path_is_the_name_for_ehlo() -> None:
    """As in Kanidm's sender, the URL's path is the name that EHLO gives."""
    assert parse("smtps://relay.example.com/idm.example.com").local_name == "idm.example.com"
    assert parse("smtps://me:pw@relay.example.com:465/idm.example.com?tls=required").local_name == "idm.example.com"


LOGINS = {
    "me:secret": ("me", "secret"), "me%40example.com:secret": ("me@example.com", "secret"),
    "me@example.com:secret": ("me@example.com", "secret"), "me:a/b": ("me", "a/b"), "me:a#b": ("me", "a#b"),
    "me:a?b": ("me", "a?b"), "me:a@b": ("me", "a@b"), "me:a:b": ("me", "a:b"), "me:100%sure": ("me", "100%sure"),
    "me:a%2Fb%23c%40d%25e": ("me", "a/b#c@d%e"), "me:SG.abc-def_123+/=": ("me", "SG.abc-def_123+/="),
    "apikey": ("apikey", None), "me:": ("me", None), ":secret": (None, "secret"),
}  # fmt: skip


@pytest.mark.parametrize("login", LOGINS)
def test_a_login_in_the_url_may_be_pasted_as_it_is(login: str) -> None:
    """Passwords with / # ? @ : % are taken raw as well as percent-encoded."""
    found = parse(f"smtps://{login}@relay.example.com:4650")
    password = found.password.get_secret_value() if found.password else None
    assert (found.username, password) == LOGINS[login]
    assert (found.host, found.port) == ("relay.example.com", 4650)


@given(st.text(min_size=1).filter(lambda text: "%" not in text))
def test_every_password_survives_the_url(password: str) -> None:
    """Any password without a percent sign that is put between colon and @ comes out again."""
    assert parse(f"smtps://me:{password}@relay.example.com").password == Secret(password)


BAD = [
    "", "smtps://", "smtps://:465", "http://relay.example.com", "smtp+starttls://relay.example.com",
    "relay.example.com:", "relay.example.com:0", "relay.example.com:port", "two words", "2001:db8::1",
    "[2001:db8::1", "idm@relay.example.com", "relay.example.com/path", "smtps://relay.example.com/naïve",
    "smtps://relay.example.com/x\r\nRSET", "smtp+insecure://", "smtp+insecure:///run/x", "smtp+unix://run/x",
    "smtp+unix:///run/x/", "smtp+unix://", "smtp+unix://me:pw@/run/x", "smtp+unix:///run/%00", f"smtp+unix:///{'x' * 107}",
]  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_what_names_no_relay_is_refused(text: str) -> None:
    """No host, a port that does not exist, another scheme, or a path that EHLO cannot say is an error."""
    with pytest.raises(BadRelay):
        parse(text)


@pytest.mark.parametrize(
    "host", ["relay.example.com", "10.0.0.1", "0.0.0.0", "[::]", "[2001:db8::1]", "localhost.example", "localhost4"]
)
def test_without_tls_no_other_machine_is_named(host: str) -> None:
    """Nor a name that may be one; what `localhost` is, is looked at when it is looked up."""
    with pytest.raises(BadRelay, match="loopback address or localhost alone"):
        parse(f"smtp+insecure://{host}:25")


PASSWORD = "hunter2-secret"


@pytest.mark.parametrize(
    "text",
    [
        f"me:{PASSWORD}@relay.example.com", f"http://me:{PASSWORD}@relay.example.com", f"smtps://me:{PASSWORD}@",
        f"smtps://me:{PASSWORD}", f"smtps://relay.example.com:{PASSWORD}",
        f"me:{PASSWORD}@smtps://relay.example.com", f"smtps:me:{PASSWORD}@relay.example.com",
        f"smtps//me:{PASSWORD}@relay.example.com",
    ],
)  # fmt: skip
def test_an_error_never_repeats_a_password(text: str) -> None:
    """However the URL is broken, no part of a password stands in the error."""
    with pytest.raises(BadRelay) as caught:
        parse(text)
    assert PASSWORD[:7] not in str(caught.value)


def test_repr_hides_the_password() -> None:
    """A relay in a traceback or a log shows no password."""
    assert PASSWORD not in repr(parse(f"smtps://me:{PASSWORD}@relay.example.com"))


def test_an_address_is_written_as_people_write_it() -> None:
    """`host:port`, with brackets around an IPv6 literal, and nothing else."""
    assert str(parse(f"smtps://me:{PASSWORD}@relay.example.com")) == "relay.example.com:465"
    assert str(Endpoint("2001:db8::1", 25, STARTTLS)) == "[2001:db8::1]:25"
    assert str(parse("smtp+unix:///run/relay.sock")) == "unix:/run/relay.sock"


@pytest.mark.parametrize("form", ["{}", "{}:587", "smtps://{}", "smtp://me:pässword@{}:2587/idm.example.com"])
def test_a_name_beyond_ascii_is_looked_up_by_idna_2008(form: str) -> None:
    """Python would make `strasse` of it, and the login would go to somebody else's relay."""
    assert parse(form.format("smtp.straße.example")).host == "smtp.xn--strae-oqa.example"


@given(st.text(min_size=1))
def test_no_host_beyond_ascii_reaches_the_network(host: str) -> None:
    """Whatever stands there is refused, or becomes ASCII."""
    try:
        assert parse(f"smtps://{host}").host.isascii()
    except BadRelay:
        return


@pytest.mark.parametrize("char", "\u200b\u00ad\ufeff\u2060")
def test_a_character_that_nobody_sees_is_refused_by_its_code_point(char: str) -> None:
    """The text itself is not shown, as it may hold a password."""
    with pytest.raises(BadRelay, match=rf"U\+{ord(char):04X}"):
        parse(f"smtps://relay{char}.example.com")
