"""The login: one mechanism, and what of it is secret."""

import base64

import pytest
from pydantic import SecretStr

from mail_sender.relay import login
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.endpoint import Security

PLAIN = base64.b64encode(b"\0ann\0s3cret").decode()


def encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def test_plain_goes_before_login() -> None:
    """One line, which a 2xx answers (RFC 4616)."""
    assert login.commands(["login", "plain"], "ann", "s3cret") == ((f"AUTH PLAIN {PLAIN}", 2),)


def test_login_says_one_word_after_each_334() -> None:
    """Name, then password; only the last answer is a 2xx."""
    said = login.commands(["login", "cram-md5"], "ann", "s3cret")
    assert said == (("AUTH LOGIN", 334), (encoded("ann"), 334), (encoded("s3cret"), 2))


@pytest.mark.parametrize(("offered", "text"), [([], "no AUTH at all"), (["cram-md5", "gssapi"], "CRAM-MD5, GSSAPI")])
def test_where_no_mechanism_fits_the_error_lists_them(offered: list[str], text: str) -> None:
    """So that the administrator sees what the port offers."""
    with pytest.raises(login.NoLogin, match=text):
        login.commands(offered, "ann", "s3cret")


def test_the_password_is_secret_in_each_form_in_which_it_is_said() -> None:
    """As it is, in PLAIN's answer, and in LOGIN's."""
    config = RelayConfig("relay", 465, Security.IMPLICIT, "client.example", "ann", SecretStr("s3cret"))
    assert set(login.secrets(config)) == {"s3cret", encoded("s3cret"), PLAIN}
    assert login.secrets(RelayConfig("relay", 465, Security.IMPLICIT, "client.example")) == ()
