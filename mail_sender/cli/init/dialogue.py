"""The conversation on a terminal: what is asked there, and what is said.

Without a terminal nothing is asked. Ctrl-C, Ctrl-D and a terminal that is gone end a question by `typer.Abort`.
"""

import sys
import textwrap
from contextlib import suppress

import typer

from mail_sender.cli.terminal import stream, styled
from mail_sender.log import printable

_WIDTH = 80
_INDENT = "  "


class Dialogue:
    """What is said, and what is asked; `asks` says whether anybody can be asked."""

    def __init__(self, *, asks: bool) -> None:
        self.asks = asks
        self._heading = ""
        if asks:
            with suppress(ImportError):  # then a line is edited without arrow keys
                import readline  # noqa: F401, PLC0415 - input() uses it as soon as it is imported

    def head(self, text: str) -> None:
        """Name the part that begins now; the name is shown as soon as the part says something."""
        self._heading = text

    def begin(self) -> None:
        """Show the name of the part, once."""
        if self._heading:
            typer.echo(f"\n{styled(self._heading, bold=True)}")
        self._heading = ""

    def write(self, text: str) -> None:
        """Write a sentence, in lines of at most 80 characters."""
        self.begin()
        for line in textwrap.wrap(text, _WIDTH - len(_INDENT), break_long_words=False, break_on_hyphens=False):
            typer.echo(f"{_INDENT}{printable(line)}")

    def show(self, *lines: str) -> None:
        """Show lines that can be copied, such as commands, set off from what is said."""
        self.begin()
        for line in ("", *lines, ""):
            typer.echo(f"{_INDENT * 2}{printable(line)}" if line else "")

    def ask(self, text: str, default: str | None = None, *, hidden: bool = False) -> str:
        """Return what is typed, or the default for an empty line; spaces around it count if it is `hidden`."""
        self.begin()
        shown = f"{_INDENT}{text}" + (f" [{default}]" if default else "")
        try:
            typed = typer.prompt(shown, default="", show_default=False, hide_input=hidden)
        except (OSError, UnicodeDecodeError):  # the terminal is gone, or sends what is no text
            raise typer.Abort from None
        return typed if hidden else str(typed).strip() or default or ""

    def choose(self, text: str, choices: tuple[str, ...]) -> str:
        """Return one of the choices, the first one for an empty line; its first character is enough."""
        while True:
            typed = self.ask(f"{text} ({'/'.join(choices)})", choices[0]).lower()
            for choice in choices:
                if choice.startswith(typed):
                    return choice
            self.write(f"Type one of {', '.join(choices)}, or its first character.")


def is_at_a_terminal() -> bool:
    """Say whether somebody can be asked: input and output are both a terminal."""
    return stream(sys.stdin).isatty() and stream(sys.stdout).isatty()
