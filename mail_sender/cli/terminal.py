"""Standard output and standard error, where either may be closed, full, or short of characters."""

import os
import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Any, Literal, TextIO

Form = Literal["text", "json"]
"""In which form a command prints: for a person, or one JSON object a line."""


def prepare() -> None:
    """Have characters escaped that a terminal or a log file cannot show: a relay's reply may hold any."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def print_line(text: str, *, err: bool = False) -> None:
    """Print, and go on where that fails: what was asked for decides the exit code, not whether it can be printed."""
    try:
        print(text, file=sys.stderr if err else sys.stdout, flush=True)
    except OSError:
        discard(2 if err else 1)


def discard(descriptor: int) -> None:
    """Drop what a stream still holds back for a descriptor, and all that follows: at the end it would fail again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)


def styled(text: str, **style: Any) -> str:
    """Return a text in one of typer's styles if it goes to a terminal; NO_COLOR forbids it (no-color.org)."""
    has_colour = stream(sys.stdout).isatty() and not os.environ.get("NO_COLOR")
    if not has_colour:
        return text
    import typer  # noqa: PLC0415 - a sender and its health check show no colours, and need none of it

    return typer.style(text, **style)


def stream(standard: TextIO | None) -> TextIO:
    """Return a standard stream, or nothing in the place of one that was closed when the program began."""
    return standard if standard is not None else Path(os.devnull).open("w")
