"""The sandbox in which templates run: they can use their variables, and limited time and memory.

Jinja's own sandbox keeps a template from Python's internals. An undefined name is an error, and everything is escaped
for HTML except in files that end in `.txt.j2` or `.css.j2`. In addition:

- `say.copy` is the item of the mapping, never Python's method of that name, and a function is never shown;
- a part may take `SECONDS` and have `LARGEST_PART` characters. The template is the operator's own, but an endless
  loop in it must not stop all mail. Numbers and texts that would fill the memory are refused before they are made.

The time is that of the processor, limited by an alarm signal, because nothing else can end a busy loop. Python
delivers signals to the main thread; in other threads only the size is limited. What one operation of Python may take
cannot be limited here: so an operator's templates run in a sandbox in a process of their own (`process`).
"""

import re
import signal
import threading
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

import jinja2
from jinja2.filters import do_format
from jinja2.sandbox import ImmutableSandboxedEnvironment

SECONDS = 2.0
"""Time of the processor that the rendering of one part may take; it usually takes less than a thousandth of that."""
LARGEST_PART = 256 * 1024
"""Characters; mail programs cut off after 100 KiB."""
LONGEST_RANGE = 10_000

_RING_AGAIN = 0.001
_LOST = 0.05
"""Seconds until it rings again after an exception that Python dropped: one in a finaliser, or in the collector."""

# Control characters but tab and line ends, and half surrogate pairs.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")
_LARGEST_EXPONENT = 1_000
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{5}|\*")  # a width or a precision that would fill the memory


class Fault(Exception):
    """What is wrong with a template, in words that hold nothing of the mail."""


class TooMuch(Fault):
    """A template exceeded a limit; the text says which."""


class Failed(Exception):
    """A template failed, or exceeded a limit; the text names its file and says how, without what the mail holds."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Finds templates by name among `files`, and runs them with `filters`."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, files: Mapping[str, str], filters: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            # A traceback then has the name of the file, which it would not have with a DictLoader.
            loader=jinja2.FunctionLoader(lambda name: (files[name], name, None) if name in files else None),
            autoescape=is_escaped,
            undefined=jinja2.StrictUndefined,
            finalize=_shown,
            auto_reload=False,
        )
        self.filters.update({**filters, "format": _format})
        self.globals["range"] = _range

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute; of a mapping, the item of that name if there is one."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Return the result of `left operator right`. Raises `TooMuch`."""
        if operator == "*":
            _require_small(left, right)
            _require_small(right, left)
        elif operator == "**" and isinstance(right, int) and right > _LARGEST_EXPONENT:
            raise TooMuch("a power is too large")
        elif operator == "%" and isinstance(left, str):
            _require_narrow(left)
        return super().call_binop(context, operator, left, right)


def is_escaped(name: str | None) -> bool:
    """Say whether the output of a template of that name is escaped for HTML."""
    return name is None or not name.endswith((".txt.j2", ".css.j2"))


def run(template: jinja2.Template, variables: Mapping[str, Any]) -> str:
    """Return the output of a template, without characters that no mail can carry.

    Raises `TooMuch`, and any exception of the template itself.
    """
    pieces, length = [], 0
    with _alarm(SECONDS):
        for piece in template.generate(variables):
            if piece:  # a loop may yield millions that are empty
                pieces.append(piece)
            length += len(piece)
            if length > LARGEST_PART:
                raise TooMuch(f"it makes more than {LARGEST_PART // 1024} KiB")
    return _UNSENDABLE.sub("", "".join(pieces))


_REASONS: dict[type[Exception], str] = {
    jinja2.exceptions.SecurityError: "it uses what a template may not use",
    jinja2.UndefinedError: "it uses a name that does not exist",
    jinja2.TemplateSyntaxError: "its syntax is wrong",
    RecursionError: "it uses itself without end, or is nested too deep",
    ZeroDivisionError: "it divides by zero",
    TypeError: "an operation does not fit its values",
    ValueError: "an operation does not fit its values",
}


def failure(error: Exception, name: str) -> str:
    """Say how a template failed, and in which file and line; the exception's own text may hold a secret."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    place = f"{frames[-1].filename}, line {frames[-1].lineno}," if frames else name
    if isinstance(error, Fault):
        return f"the template {place} failed: {error}"
    reason = next((words for kind, words in _REASONS.items() if isinstance(error, kind)), type(error).__name__)
    return f"the template {place} failed ({reason})"


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `TooMuch` in a block that takes more of the processor's time; an earlier alarm is set again afterwards.

    Time that passes while the process is stopped, or waits for a busy machine, is not the template's.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    set_ = True

    def ring(_number: int, frame: FrameType | None) -> None:
        if not set_:
            return
        if frame is None or frame.f_lineno is None:  # some instructions belong to no line, and Jinja asks for one
            signal.setitimer(signal.ITIMER_PROF, _RING_AGAIN, _LOST)
            return
        raise TooMuch(f"it takes longer than {seconds:.0f} s")

    before, began = signal.signal(signal.SIGPROF, ring), time.process_time()
    others, again = signal.setitimer(signal.ITIMER_PROF, seconds, _LOST)
    try:
        yield
    finally:
        set_ = False
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, before or signal.SIG_DFL)
        if others:
            signal.setitimer(signal.ITIMER_PROF, max(others - (time.process_time() - began), 0.001), again)


def _shown(value: Any) -> Any:
    if callable(value) and not isinstance(value, jinja2.Undefined):
        raise TypeError("a function cannot be shown")
    return value


def _range(*bounds: int) -> range:
    made = range(*bounds)
    if len(made) > LONGEST_RANGE:
        raise TooMuch(f"a range has more than {LONGEST_RANGE} numbers")
    return made


def _format(value: str, *args: Any, **kwargs: Any) -> str:
    _require_narrow(str(value))
    return do_format(value, *args, **kwargs)


def _require_small(text: object, times: object) -> None:
    if isinstance(text, str | bytes | list | tuple) and isinstance(times, int) and len(text) * times > LARGEST_PART:
        raise TooMuch(f"a text is longer than {LARGEST_PART // 1024} KiB")


def _require_narrow(pattern: str) -> None:
    if _WIDE.search(pattern):
        raise TooMuch("a format is too wide")
