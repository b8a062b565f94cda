"""The progress of what takes a while: a bar on a terminal, lines elsewhere."""

import os
import pty
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mail_sender.cli import console
from mail_sender.cli.progress import progress
from tests.support.terminal import all_of


@contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Put a terminal in the place of standard error, in a program whose start has hidden rich; give its other end."""
    reader, writer = pty.openpty()
    with monkeypatch.context() as patch, os.fdopen(writer, "w") as file:
        patch.setattr(sys, "stderr", file)
        patch.setenv("TERM", "xterm")
        for name in [name for name in sys.modules if name.partition(".")[0] == "rich"]:
            patch.delitem(sys.modules, name)
        patch.setitem(sys.modules, "rich", None)
        yield reader


def log(line: str) -> None:
    """Write a line as the log does."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def test_a_terminal_gets_a_bar_and_the_log_above_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is logged meanwhile stands in a line of its own; the cursor is never hidden, since nobody may show it again."""
    with terminal(monkeypatch) as reader, progress("sent") as advance:
        advance(1, 3)
        log("14:00:00Z   sent  queue_id=1")
        advance(3, 3)
    shown = all_of(reader)
    assert "\r\x1b[2K14:00:00Z   sent  queue_id=1\r\n" in shown
    assert "3/3" in shown.rpartition("\x1b[2K")[2]
    assert "\x1b[?25" not in shown


def test_a_terminal_that_is_closed_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever closes the window while mail goes out does not stop it."""
    with terminal(monkeypatch) as reader, progress("sent") as advance:
        os.close(reader)
        for count in range(3):
            advance(count, 3)
            log("a line of the log")


def test_elsewhere_each_change_is_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    """A file gets no escape sequences, and no line twice."""
    with progress("tried") as advance:
        for count in (0, 1, 1, 2):
            advance(count, 2)
    assert capsys.readouterr().err.splitlines() == ["1 of 2 tried", "2 of 2 tried"]


def test_rich_is_imported_when_something_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """The start hides it from libraries that would import it each time."""
    with terminal(monkeypatch) as reader:
        assert sys.modules["rich"] is None
        assert console.console(sys.stderr).is_terminal
        assert sys.modules["rich"] is not None
    os.close(reader)
