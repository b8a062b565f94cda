"""Lines are read in time, whoever sends them, and however slowly."""

import pytest

from mail_sender.control.lines import Lines


class Dripping:
    """A connection on which one octet comes after the other, each after so many made-up seconds, and then the end."""

    def __init__(self, octets: bytes, every: float) -> None:
        self.now = 0.0
        self.timeouts: list[float] = []
        self._octets = list(octets)
        self._every = every

    def settimeout(self, seconds: float) -> None:
        self.timeouts.append(seconds)

    def recv(self, _: int) -> bytes:
        if self._every > self.timeouts[-1]:
            raise TimeoutError
        self.now += self._every
        return bytes([self._octets.pop(0)]) if self._octets else b""


def lines(connection: Dripping, *, longest: int = 100, in_all: bool = False) -> Lines:
    return Lines(connection, longest, 5.0, in_all=in_all, now=lambda: connection.now)  # type: ignore[arg-type]  # a part of a socket


@pytest.mark.parametrize("in_all", [False, True])
def test_a_line_that_drips_is_not_waited_for_longer_than_its_time(in_all: bool) -> None:
    """Each octet alone comes in time."""
    connection = Dripping(b"x" * 100, every=1.0)
    with pytest.raises(TimeoutError):
        lines(connection, in_all=in_all).next()
    assert connection.now == 5.0


def test_each_line_has_its_time_or_all_of_them_together() -> None:
    """A list may take long as long as it goes on; a status may not."""
    connection = Dripping(b"ab\ncd\nef\n", every=1.0)
    found = lines(connection)
    assert [found.next() for _ in range(4)] == [b"ab\n", b"cd\n", b"ef\n", b""]
    connection = Dripping(b"ab\ncd\nef\n", every=1.0)
    found = lines(connection, in_all=True)
    assert found.next() == b"ab\n"
    with pytest.raises(TimeoutError):
        found.next()
    assert connection.timeouts == [5.0, 4.0, 3.0, 2.0, 1.0]


def test_what_has_come_is_read_without_waiting() -> None:
    """Lines that came in one piece."""

    class AtOnce(Dripping):
        def recv(self, _: int) -> bytes:
            self.now += 5.0
            return b"ab\ncd\nhalf" if self.now == 5.0 else b""

    found = lines(AtOnce(b"", every=0.0), in_all=True)
    assert [found.next(), found.next()] == [b"ab\n", b"cd\n"]


def test_a_line_is_no_longer_than_it_may_be() -> None:
    """What comes without an end is given up by its length, too; so is the rest before an end of the connection."""
    found = lines(Dripping(b"abcdef", every=0.0), longest=4)
    assert [found.next() for _ in range(3)] == [b"abcd", b"ef", b""]
