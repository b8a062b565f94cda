"""The bytes of a mail: what a reader gets back is what was put in, and nothing else got in."""

from email.message import EmailMessage

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mail_sender.mail import mime
from mail_sender.mail.mime import Lines
from tests.golden.samples import parsed

HEADERS = [("From", "a@example.com"), ("To", "b@example.com"), ("Subject", "Hello")]
SEED = "<1@example.com>"


def compose(text: str = "Hello\n", html: str = "<p>Hello</p>\n") -> bytes:
    """Return a mail with these parts."""
    return mime.compose(HEADERS, [Lines(text)], [Lines(html)], seed=SEED)


def parts(content: bytes) -> list[EmailMessage]:
    """Return a mail's parts."""
    mail = parsed(content)
    assert not mail.defects
    return [part for part in mail.iter_parts() if isinstance(part, EmailMessage)]


def test_text_comes_first_and_html_second() -> None:
    """Alternatives go from plain to rich (RFC 2046, section 5.1.4), each with its type."""
    mail = parsed(compose())
    assert mail.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in mail.iter_parts()] == ["text/plain", "text/html"]
    assert mail["MIME-Version"] == "1.0"
    assert mail.keys() == ["From", "To", "Subject", "MIME-Version", "Content-Type"]  # none but what was set


def test_the_same_input_makes_the_same_bytes_and_the_seed_the_boundary() -> None:
    """Nothing is random: another seed gives another boundary, the same one the same mail."""
    assert compose() == compose()
    assert mime.compose(HEADERS, [], [], seed="other") != mime.compose(HEADERS, [], [], seed=SEED)


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1), st.integers(1, 40))
@example("x" * 998, 1)
@example("x" * 999, 1)
@example(".", 3)
@example("é=", 400)
@example("From me é", 1)
@example("é trailing \t ", 1)
@example("https://idm.example.com/ui/reset?token=" + "x" * 900, 1)
def test_a_body_survives_and_its_lines_are_short(body: str, times: int) -> None:
    """Any text comes back whole; lines end in CRLF, of at most 998 octets (RFC 5322, 2.1.1); what can go as it is, does."""
    text = "\n".join([body * times, body])
    content = compose(text, text)
    lines = content.split(b"\r\n")
    assert max(map(len, lines)) <= 998
    assert b"\n" not in b"".join(lines)
    assert b"\r" not in b"".join(lines)
    plain = text.isascii() and max(map(len, text.split("\n"))) <= 998
    for part in parts(content):
        assert part["Content-Transfer-Encoding"] == ("7bit" if plain else "quoted-printable")
        assert part.get_content_charset() == ("us-ascii" if plain else "utf-8")
        assert part.get_content().splitlines() == text.splitlines()


@pytest.mark.parametrize(("length", "encoding"), [(998, "7bit"), (999, "quoted-printable")])
def test_a_body_of_one_line_goes_as_it_is_if_the_line_may_be_so_long(length: int, encoding: str) -> None:
    """Whether its end stands there or not."""
    for body in ("x" * length, "x" * length + "\n"):
        assert parts(compose(body))[0]["Content-Transfer-Encoding"] == encoding


@given(st.lists(st.text(max_size=100).map(lambda text: f"{text}\n"), max_size=5), st.text(max_size=100))
@example(["x" * 998 + "\n", "é\n"], "")
@example(["x\r\n", "\n", "\r\n"], ".")
@example(["x \n", "\x0c\n"], "\x85y")
def test_lines_that_are_encoded_for_themselves_make_the_same_body(lines: list[str], last: str) -> None:
    """A soft line break, or a space at a line's end, depends on its own line only."""
    pieces = [text.encode("utf-8", "replace").decode() for text in (*lines, last)]
    whole = mime.compose(HEADERS, [Lines("".join(pieces))], None, seed=SEED)
    assert mime.compose(HEADERS, [Lines(piece) for piece in pieces], None, seed=SEED) == whole


def test_bodies_of_all_line_endings_end_in_crlf() -> None:
    """CR, LF and CRLF in a body become CRLF, and an empty body is empty."""
    assert b"\r\none\r\ntwo\r\nthree\r\n" in compose("one\ntwo\r\nthree", "")
    assert parts(compose("", ""))[0].get_content().strip() == ""


FOREIGN = [
    ("Subject", "x\r\nBcc: y@example.com"), ("Subject", "x\nBcc: y@example.com"),
    ("Subject", "x\rBcc: y@example.com"), ("Subject", "x\r\n\r\nbody"), ("Subject: x\r\nBcc", "y"),
    ("Sub ject", "x"), ("Subject", "x\r\nno header"), ("Subject", "x\r\n: y"), ("Subject", "x\r\n\x00 y"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "value"), FOREIGN)
def test_a_header_that_brings_another_one_is_caught(name: str, value: str) -> None:
    """The lines of the finished header are read again: a line break in a value cannot make a header."""
    with pytest.raises(mime.ForeignHeader):
        mime.compose([("From", "a@example.com"), (name, value), ("To", "b@example.com")], [], [], seed=SEED)
