"""A program at a terminal of its own: what it shows is waited for, and what a person would type is typed.

The terminal is the program's controlling one, so that Ctrl-C is a signal and a password is read without an echo.
"""

import os
import pty
import re
import selectors
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

CTRL_C, CTRL_D = "\x03", "\x04"
_DEADLINE = 30.0  # seconds; a test that meets it has failed
_COLOUR = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


class Conversation:
    """A running program; `text` is all that it has shown, without colours."""

    def __init__(
        self, command: Sequence[str | Path], env: Mapping[str, str] | None = None, deadline: float = _DEADLINE
    ) -> None:
        self._deadline = deadline
        self._ours, theirs = pty.openpty()
        # Who leads a session gets the terminal that it opens first as its controlling one (setsid(2)).
        opened = f'exec "$@" <{os.ttyname(theirs)} >{os.ttyname(theirs)} 2>&1'
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", opened, "sh", *map(str, command)],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            env={**os.environ, "TERM": "dumb", **(env or {})},
        )
        self._found = b""
        self._seen = 0
        self._theirs = theirs
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._ours, selectors.EVENT_READ)

    @property
    def text(self) -> str:
        return _COLOUR.sub("", self._found.decode()).replace("\r\n", "\n")

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def echoes(self) -> bool:
        """Whether the terminal shows what is typed."""
        return bool(termios.tcgetattr(self._theirs)[3] & termios.ECHO)

    def expect(self, text: str) -> str:
        """Wait until something is shown that was not waited for yet; return all that was shown up to it."""
        ends = time.monotonic() + self._deadline
        while text not in self.text[self._seen :]:
            assert self._process.poll() is None or self._selector.select(0), f"it has ended: {self.text}"
            assert self._selector.select(max(0.0, ends - time.monotonic())), f"no {text!r} in: {self.text}"
            self._read()
        self._seen = self.text.index(text, self._seen) + len(text)
        return self.text[: self._seen]

    def type(self, text: str) -> None:
        """Type a text as it is; Enter is a newline."""
        os.write(self._ours, text.encode())

    def answer(self, question: str, text: str) -> None:
        """Wait for a question, and for its end, from which on an echo is off; answer it."""
        self.expect(question)
        self.expect(": ")
        self.type(f"{text}\n")

    def end(self) -> int:
        """Wait until the program ends; return its exit code."""
        ends = time.monotonic() + self._deadline
        while self._process.poll() is None:
            assert time.monotonic() < ends, f"it goes on: {self.text}"
            if self._selector.select(0.05):
                self._read()
        while self._selector.select(0):
            self._read()
        return self._process.returncode

    def _read(self) -> None:
        self._found += os.read(self._ours, 65536)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._selector.close()
        os.close(self._theirs)
        os.close(self._ours)
