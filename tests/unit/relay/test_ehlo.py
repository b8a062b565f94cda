"""What a relay offers, in the spellings that are met."""

import pytest

from mail_sender.relay.ehlo import offer


@pytest.mark.parametrize(
    "text",
    [
        "relay.example\nAUTH PLAIN LOGIN",
        "relay.example\nauth plain login",
        "relay.example\nAUTH\tPLAIN\tLOGIN",
        "relay.example\nAUTH=PLAIN LOGIN",
        "relay.example\nAUTH = PLAIN, LOGIN ",
        "relay.example\nAUTH PLAIN\nAUTH=PLAIN LOGIN",
        "AUTH PLAIN LOGIN",
        "AUTH=PLAIN LOGIN\nSIZE 100",
        "relay.example AUTH PLAIN LOGIN",
        "\nAUTH PLAIN LOGIN",
    ],
)
def test_a_login_is_found_wherever_and_however_it_is_offered(text: str) -> None:
    """As Postfix finds it, and on the first line."""
    found = offer(text)
    assert "auth" in found.extensions
    assert found.mechanisms == ("plain", "login")


def test_each_line_is_an_extension_but_the_first_is_a_greeting() -> None:
    """Words of the greeting are no extensions, the relay's name neither."""
    found = offer("relay.example Hello client, size does matter\nSIZE 1000\n8BITMIME\nSTARTTLS\nSMTPUTF8 ")
    assert found.extensions == ("size", "8bitmime", "starttls", "smtputf8")
    assert found.mechanisms == ()
    assert offer("auth.example").extensions == ()
    assert offer("").extensions == ()


def test_what_can_be_no_name_is_left_out() -> None:
    """Octets that are no text, escape codes, and names without end."""
    found = offer(f"relay.example\nAUTH \ufffd\ufffd \x1b[31m {'X' * 3000} PLAIN\n\x1b[2J yes\n{'Y' * 3000}")
    assert found.mechanisms == ("plain",)
    assert found.extensions == ("auth",)
    many = offer("relay.example\n" + "\n".join(f"X{number}" for number in range(1000)))
    assert len(many.extensions) == 50
