"""How far something has come that takes a while: a bar on a terminal, elsewhere a line for each change."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer

from mail_sender.cli.console import console
from mail_sender.cli.terminal import stream

Advance = Callable[[int, int], None]
"""Takes how many are done, and of how many."""


def on_a_terminal() -> bool:
    """Say whether standard error is a terminal, so that a bar can be shown."""
    return stream(sys.stderr).isatty()


@contextmanager
def progress(done: str) -> Iterator[Advance]:
    """Give what shows the progress on standard error; `done` is the word for what has been done ("tried")."""
    if on_a_terminal():
        with _bar(done) as advance:
            yield advance
    else:
        yield _lines(done)


@contextmanager
def _bar(done: str) -> Iterator[Advance]:
    """Show a bar below all else that is written on standard error meanwhile, as the log is."""
    shown = console(sys.stderr)
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn  # noqa: PLC0415 - the console comes first

    columns = TextColumn(done), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn()
    with Progress(*columns, console=shown, redirect_stdout=False) as bar:
        task = bar.add_task(done, total=None)
        yield lambda count, total: bar.update(task, completed=count, total=total)


def _lines(done: str) -> Advance:
    last = 0

    def advance(count: int, total: int) -> None:
        nonlocal last
        if count != last:
            last = count
            typer.echo(f"{count} of {total} {done}", err=True)

    return advance
