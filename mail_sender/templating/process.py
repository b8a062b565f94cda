"""The template process: runs an operator's templates outside of the sender, with limited memory and time.

A template is a program, and one expression of it can ask for any amount of memory: `"x".center(10 ** 9)`, a text that
is doubled in a loop, a list of itself. No list of such expressions is complete. So the operator's templates run in a
child process (`process_main`) that the kernel limits; if a part exceeds a limit, only this child ends, and the next
part gets a new one. The built-in templates run in the sender.

The child is started with the first template of an operator's, is kept, and ends with the sender. It gets a set of
files once, then a file's name and variables for each part. What it answers is data, never code.
"""

import contextlib
import copyreg
import io
import json
import pickle
import select
import struct
import subprocess
import sys
import threading
import weakref
from collections.abc import Iterator, Mapping
from typing import Any

import jinja2
from babel import Locale

from mail_sender.templating.sandbox import Failed

START_SECONDS = 30.0
"""How long the child may take to start; it usually takes a few tenths."""
ANSWER_SECONDS = 30.0
"""How long is waited for its answer. Its own alarm ends a part after `sandbox.SECONDS` of the processor's time, which
a busy machine takes longer to give.
"""
_TURN = 0.1
"""Seconds of a wait that are counted at a time: the time in which this process was stopped counts for no more."""

_LENGTH = struct.Struct(">I")


def python(code: str) -> list[str]:
    """Return the command that runs code in another Python, which finds modules and bytecode where this one does."""
    bytecode = ["-X", f"pycache_prefix={sys.pycache_prefix}"] if sys.pycache_prefix else []
    return [sys.executable, "-I", *bytecode, "-c", f"import sys; sys.path[:] = {sys.path!r}; {code}"]


def run(files: Mapping[str, str], name: str, variables: Mapping[str, Any], *, page: bool = False) -> str:
    """Return the output of a template of this set of files; of a page, with its styles in place. Raises `Failed`."""
    return str(_asked(files, name, variables, page)["text"])


def require_compiled(files: Mapping[str, str], name: str) -> None:
    """Compile a template. Raises jinja2.TemplateSyntaxError, or `Failed` if the compiler itself fails."""
    if wrong := _asked(files, name, None, page=False).get("syntax"):
        raise jinja2.TemplateSyntaxError(*wrong)


def _asked(files: Mapping[str, str], name: str, variables: Mapping[str, Any] | None, page: bool) -> dict[str, Any]:
    with _lock:
        answer = _child().answer(files, name, variables, page)
    if "failed" in answer:
        raise Failed(answer["failed"])
    return answer


class _Child:
    """The process; it has `ended` once it was stopped, or has died."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this program itself
            python("from mail_sender.templating import process_main; process_main.main()"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
        )
        self._files: Mapping[str, str] | None = None
        self._end = weakref.finalize(self, _end, self._process)
        self._read(START_SECONDS)

    @property
    def ended(self) -> bool:
        return not self._end.alive or self._process.poll() is not None

    def answer(
        self, files: Mapping[str, str], name: str, variables: Mapping[str, Any] | None, page: bool
    ) -> dict[str, Any]:
        """Return what the child answers; if it does not, or has used up its limits, end it."""
        fresh = None if files is self._files else dict(files)
        try:
            self._write(_pickled((fresh, name, variables, page)))
            found = self._read(ANSWER_SECONDS)
        except TimeoutError:
            found = _spent(name, f"it takes longer than {ANSWER_SECONDS:.0f} s")
        except (EOFError, OSError):
            found = _spent(name, "its process ended: it needs too much memory or time")
        self._files = files
        if found.get("spent"):
            self._end()
        return found

    def _write(self, content: bytes) -> None:
        assert self._process.stdin is not None  # noqa: S101 - a pipe, as asked for
        view = memoryview(_LENGTH.pack(len(content)) + content)
        while view:
            view = view[self._process.stdin.write(view) :]

    def _read(self, seconds: float) -> dict[str, Any]:
        turns = iter(range(round(seconds / _TURN)))
        (length,) = _LENGTH.unpack(self._received(_LENGTH.size, turns))
        found = json.loads(self._received(length, turns))
        return found if isinstance(found, dict) else {}

    def _received(self, length: int, turns: Iterator[int]) -> bytes:
        assert self._process.stdout is not None  # noqa: S101 - a pipe, as asked for
        ready = select.poll()
        ready.register(self._process.stdout, select.POLLIN)
        received = b""
        while len(received) < length:
            while not ready.poll(_TURN * 1000):
                if next(turns, None) is None:
                    raise TimeoutError
            more = self._process.stdout.read(length - len(received))
            if not more:
                raise EOFError
            received += more
        return received


def _spent(name: str, reason: str) -> dict[str, Any]:
    return {"failed": f"the template {name} failed: {reason}", "spent": True}


_lock = threading.Lock()
_kept: list[_Child] = []


def _child() -> _Child:
    """Return the child, a new one if there is none or it has ended. Raises `Failed`."""
    if not _kept or _kept[0].ended:
        _kept.clear()
        try:
            _kept.append(_Child())
        except (OSError, EOFError) as error:
            raise Failed(f"the process for templates cannot be started ({type(error).__name__})") from None
    return _kept[0]


def end() -> None:
    """End the child, if there is one: for a process that ends without Python's own end."""
    _kept.clear()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.kill()
    for pipe in (process.stdin, process.stdout):
        with contextlib.suppress(OSError):
            pipe.close()  # type: ignore[union-attr]  # a pipe, as asked for
    process.wait()


class _Pickler(pickle.Pickler):
    """Writes a locale as its name: whole, it would hold all that CLDR says about it."""

    dispatch_table = copyreg.dispatch_table | {Locale: lambda locale: (Locale.parse, (str(locale),))}


def _pickled(value: object) -> bytes:
    content = io.BytesIO()
    _Pickler(content, pickle.HIGHEST_PROTOCOL).dump(value)
    return content.getvalue()
