"""The login: which mechanisms, in which order, what is said in each, and what of it is secret."""

import base64

import pytest

from mail_sender.names.secret import Secret
from mail_sender.relay import login
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.relay_url import Security
from mail_sender.verdict import Reply

PLAIN = base64.b64encode(b"\0ann\0s3cret").decode()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def names(offered: list[str], first: str | None = None) -> list[str]:
    return [mechanism.name for mechanism in login.mechanisms(offered, first, "ann", "s3cret")]


def test_plain_goes_before_login_and_cram_md5_last() -> None:
    """Whatever the relay's order; one that worked before goes first."""
    assert names(["cram-md5", "login", "xoauth2", "plain"]) == ["plain", "login", "cram-md5"]
    assert names(["plain", "login"], first="login") == ["login", "plain"]
    assert names(["plain"], first="login") == ["plain"]
    assert names(["gssapi", "xoauth2"]) == []


def test_plain_is_one_line() -> None:
    """Which a 2xx answers (RFC 4616)."""
    (plain,) = login.mechanisms(["plain"], None, "ann", "s3cret")
    assert plain.command() == (f"AUTH PLAIN {PLAIN}", ())


def test_a_long_login_follows_a_334() -> None:
    """A command has at most 512 octets, its line end among them (RFC 4954, section 4)."""
    for length, is_in_command in ((367, True), (368, False)):
        (plain,) = login.mechanisms(["plain"], None, "ann", "x" * length)
        line, responses = plain.command()
        assert len(line) <= 510
        assert (line != "AUTH PLAIN", not responses) == (is_in_command, is_in_command)
    (plain,) = login.mechanisms(["plain"], None, "ann", "x" * 5000)
    _, (respond,) = plain.command()
    assert respond("") == encoded(f"\0ann\0{'x' * 5000}")


def test_login_says_one_word_after_each_334() -> None:
    """Name, then password."""
    (mechanism,) = login.mechanisms(["login"], None, "ann", "s3cret")
    line, responses = mechanism.command()
    assert [line, *(respond("VXNlcm5hbWU6") for respond in responses)] == [
        "AUTH LOGIN",
        encoded("ann"),
        encoded("s3cret"),
    ]


def test_cram_md5_answers_the_challenge() -> None:
    """The example of RFC 2195, section 2."""
    (mechanism,) = login.mechanisms(["cram-md5"], None, "tim", "tanstaaftanstaaf")
    line, (respond,) = mechanism.command()
    assert line == "AUTH CRAM-MD5"
    answer = respond("PDE4OTYuNjk3MTcwOTUyQHBvc3RvZmZpY2UucmVzdG9uLm1jaS5uZXQ+")
    assert base64.b64decode(answer) == b"tim b913a602c7eda7a495b4e6e7334d3890"


@pytest.mark.parametrize(
    ("reply", "is_of_the_mechanism"),
    [
        (Reply(504, "5.5.4 Unrecognized authentication type"), True),
        (Reply(502, "5.5.1 not implemented"), True),
        (Reply(534, "5.7.9 mechanism is too weak"), True),
        (Reply(500, "5.5.1 what?"), True),
        (Reply(501, "5.5.4 unsupported authentication mechanism"), True),
        (Reply(550, "5.7.1 this auth method is disabled"), True),
        (Reply(535, "5.7.8 bad credentials"), False),
        (Reply(535, "5.7.8 mechanism PLAIN: bad credentials"), False),
        (Reply(454, "4.7.0 mechanism not available now"), False),
        (Reply(454, "4.7.0 later"), False),
        (Reply(550, "5.7.1 no"), False),
        (Reply(534, "5.7.9 Application-specific password required"), False),
        (Reply(534, "5.7.14 Please log in via your web browser"), False),
    ],
)
def test_only_a_refusal_of_the_mechanism_leads_to_the_next(reply: Reply, is_of_the_mechanism: bool) -> None:
    """A login that is refused is not tried again."""
    assert login.refuses_mechanism(reply) == is_of_the_mechanism


def test_the_password_is_secret_in_each_form_in_which_it_is_said() -> None:
    """As it is, in PLAIN's answer, and in LOGIN's."""
    config = RelayConfig("relay", 465, Security.IMPLICIT, "client.example", "ann", Secret("s3cret"))
    assert set(login.secrets(config)) == {"s3cret", encoded("s3cret"), PLAIN}
    assert login.secrets(RelayConfig("relay", 465, Security.IMPLICIT, "client.example")) == ()
