"""The sandbox that templates run in: they reach their variables, and not more time or memory than a mail is worth.

Jinja's own sandbox keeps a template from Python's insides; a name that is not defined is an error, and everything is
escaped but in `.txt` and `.css`. Beyond that:

- of a mapping, `say.copy` is its item, never Python's method of that name, and a function is never shown;
- a part may take `SECONDS` and have `LARGEST_PART` characters: a template is the operator's own, but one loop too
  many must not stop all mail. Numbers and texts that would take the memory are refused before they are made.

Time is kept by the process's alarm, since nothing else stops a loop that asks nobody. It works in the main thread,
where the sender makes its mails; elsewhere only size is kept.
"""

import re
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import jinja2
from jinja2.filters import do_format
from jinja2.sandbox import ImmutableSandboxedEnvironment

SECONDS = 2.0
"""How long one part of a mail may take to make; it usually takes less than a thousandth of that."""
LARGEST_PART = 256 * 1024
"""Characters; mail programs cut off after 100 KiB."""
LONGEST_RANGE = 10_000

_LARGEST_EXPONENT = 1_000
_WIDE = re.compile(r"%[^a-zA-Z%]*\d{5}|\*")  # a width or a precision that would fill the memory


class TooMuch(Exception):
    """A template took more than a mail is worth; the text says of what."""


class Sandbox(ImmutableSandboxedEnvironment):
    """Where templates are found and run."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, files: Mapping[str, str], filters: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            # By its name a fault finds the file again, which a DictLoader would not tell.
            loader=jinja2.FunctionLoader(lambda name: (files[name], name, None) if name in files else None),
            autoescape=is_escaped,
            undefined=jinja2.StrictUndefined,
            finalize=_shown,
            auto_reload=False,
        )
        self.filters.update({**filters, "format": _format})
        self.globals["range"] = _range

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute, of a mapping the item of that name."""
        if isinstance(obj, Mapping) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    def call_binop(self, context: Any, operator: str, left: Any, right: Any) -> Any:
        """Work out `left operator right`.

        Raises `TooMuch`.
        """
        if operator == "*":
            _require_small(left, right)
            _require_small(right, left)
        elif operator == "**" and isinstance(right, int) and right > _LARGEST_EXPONENT:
            raise TooMuch("a power is too large")
        elif operator == "%" and isinstance(left, str):
            _require_narrow(left)
        return super().call_binop(context, operator, left, right)


def is_escaped(name: str | None) -> bool:
    """Say whether what a template of that name shows is escaped for HTML."""
    return name is None or not name.endswith((".txt.j2", ".css.j2"))


def run(template: jinja2.Template, variables: Mapping[str, Any]) -> str:
    """Return what a template makes.

    Raises `TooMuch`, and whatever goes wrong in it.
    """
    pieces, length = [], 0
    with _alarm(SECONDS):
        for piece in template.generate(variables):
            pieces.append(piece)
            length += len(piece)
            if length > LARGEST_PART:
                raise TooMuch(f"it makes more than {LARGEST_PART // 1024} KiB")
    return "".join(pieces)


@contextmanager
def _alarm(seconds: float) -> Iterator[None]:
    """Raise `TooMuch` in the midst of what takes longer; an alarm of somebody else's is set again afterwards."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    set_ = True

    def ring(_number: int, _frame: object) -> None:
        if set_:
            raise TooMuch(f"it takes longer than {seconds:.0f} s")

    before, began = signal.signal(signal.SIGALRM, ring), time.monotonic()
    others, again = signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        set_ = False
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before or signal.SIG_DFL)
        if others:
            signal.setitimer(signal.ITIMER_REAL, max(others - (time.monotonic() - began), 0.001), again)


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
