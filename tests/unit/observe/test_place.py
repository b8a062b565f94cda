"""Where the listener listens: what a text means, and what it cannot mean."""

from pathlib import Path

import pytest

from mail_sender.observe.place import BadPlace, Place, TcpPlace, UnixPlace, parse


@pytest.mark.parametrize(
    ("text", "place", "shown", "is_loopback"),
    [
        ("127.0.0.1:9310", TcpPlace("127.0.0.1", 9310), "127.0.0.1:9310", True),
        ("localhost:9310", TcpPlace("127.0.0.1", 9310), "127.0.0.1:9310", True),
        ("[::1]:9310", TcpPlace("::1", 9310), "[::1]:9310", True),
        ("[0:0::1]:0", TcpPlace("::1", 0), "[::1]:0", True),
        ("0.0.0.0:9310", TcpPlace("0.0.0.0", 9310), "0.0.0.0:9310", False),
        ("[::]:65535", TcpPlace("::", 65535), "[::]:65535", False),
        ("192.0.2.1:80", TcpPlace("192.0.2.1", 80), "192.0.2.1:80", False),
        ("unix:/run/x.sock", UnixPlace(Path("/run/x.sock")), "unix:/run/x.sock", True),
    ],
)
def test_a_place_has_one_meaning(text: str, place: Place, shown: str, is_loopback: bool) -> None:
    """An IP address with a port, or a unix socket; only what is not of this machine alone is warned of."""
    assert (parse(text), str(parse(text)), parse(text).is_loopback) == (place, shown, is_loopback)


@pytest.mark.parametrize(
    "text",
    [
        *("", "9310", ":9310", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:99999999", "::1:9310"),
        *("[127.0.0.1:9310", "[fe80::1%eth0]:9310", "relay.example:9310", "http://127.0.0.1:9310", "127.0.0.1:-1"),
        *("unix:", "unix:run/x.sock", f"unix:/{'x' * 107}", "unix:/a\0b", "127.0.0.1:9310\n", "127.1:9310"),
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    """A name may stand for several addresses, and a relative path for any folder."""
    with pytest.raises(BadPlace):
        parse(text)
