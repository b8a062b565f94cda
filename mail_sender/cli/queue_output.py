"""What the queue verbs print: response lines as text for a person, or as JSON objects, one a line.

The result of a command goes to standard output, remarks about it go to standard error; so JSON stays JSON. The reader
may close the output: a list then ends, but a command that changes something is still carried out.
"""

import json
import shutil
import sys
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime

import typer

from mail_sender.cli import queue_text
from mail_sender.cli.progress import Advance, progress
from mail_sender.cli.terminal import Form, discard, stream
from mail_sender.control.client import Client
from mail_sender.control.command import Command
from mail_sender.control.response import ResponseLine
from mail_sender.errors import Exit

ON_A_TERMINAL = 50
"""Deliveries that a list shows there, where no limit is named."""
MOST_SHOWN = 20
"""Changed deliveries that are named one by one in text."""

_FLUSHED_EVERY = 100


class Screen:
    """The output of one command, as `text` or `json`; a client answers the command."""

    def __init__(self, form: Form, client: Client) -> None:
        self._client = client
        self._text = form == "text"
        self._out = stream(sys.stdout)
        self._open = True

    def list(self, command: Command, most: int | None) -> None:
        """Print a list as it comes, at most so many deliveries of it (0: all; None: as many as suits)."""
        count = 0
        if most is None:
            most = ON_A_TERMINAL if self._out.isatty() else 0
        with closing(self._entries(command, most)) as entries:
            for count, entry in enumerate(entries, 1):
                self._print_row(entry, first=count == 1)
                if count % _FLUSHED_EVERY == 1:
                    self._push()
                if not self._open:
                    return
        self._push()
        if count == 0:
            _say("nothing to list")
        elif self._text and count == most:
            _say(f"the list shows the newest {most} only; --limit 0 lists all")

    def show(self, command: Command) -> None:
        """Print all that is known of a message."""
        lines = [*self._ask(command)]
        _leave_if_it_failed(lines[-1]["end"])
        entries = [line["entry"] for line in lines[:-1]]
        if self._text:
            self._print(queue_text.page(entries, datetime.now(UTC)))
        else:
            for entry in entries:
                self._print(json.dumps(entry))
        self._push()

    def change(self, command: Command) -> None:
        """Change deliveries, and print what became of each; as text, of many only the first."""
        count = 0
        for line in self._ask(command):
            if "result" in line:
                count += 1
                self._print_result(line["result"], count)
            elif "end" in line:
                if self._text and count > MOST_SHOWN:
                    self._print(f"... and {count - MOST_SHOWN} more")
                self._push()
                _leave_if_it_failed(line["end"])
                _say(line["end"]["message"])

    def flush(self, command: Command) -> None:
        """Flush, and show how far it has come: as a bar where standard error is a terminal."""
        end: ResponseLine = {}
        with self._progress() as advance:
            for line in self._ask(command):
                end = line.get("end", end)
                if "progress" in line:
                    advance(line["progress"]["done"], line["progress"]["total"])
        self._print(end["message"] if self._text else json.dumps({"exit": end["exit"], "message": end["message"]}))
        self._push()
        raise typer.Exit(end["exit"])

    def _entries(self, command: Command, most: int) -> Generator[ResponseLine, None, None]:
        """Yield the entries of a list, at most so many (0: all), page after page."""
        page: Command | None = replace(command, limit=most or None)
        count = 0
        while page is not None:
            end: ResponseLine = {}
            for line in self._ask(page):
                end = line.get("end", end)
                if "entry" in line:
                    count += 1
                    yield line["entry"]
            _leave_if_it_failed(end)
            before, left = end["before"], most - count if most else None
            page = None if before is None or left == 0 else replace(page, before=before, limit=left)

    def _ask(self, command: Command) -> Iterator[ResponseLine]:
        """Yield the lines of the response, without those that say where, and what is wrong: they are printed.

        As JSON they are data, as text they are a remark.
        """
        for line in self._client.ask(command):
            if not {"condition", "ledger"} & line.keys():
                yield line
            elif not self._text:
                self._print(json.dumps(line))
            elif "ledger" in line:
                _say(queue_text.ledger(line["ledger"]))
            else:
                _say(queue_text.condition(line["condition"], datetime.now(UTC)))

    @contextmanager
    def _progress(self) -> Iterator[Advance]:
        """Give what shows how far a flush has come."""
        if self._text:
            with progress("tried") as advance:
                yield advance
        else:
            yield lambda done, total: self._print(json.dumps({"done": done, "total": total}))

    def _print_row(self, entry: ResponseLine, *, first: bool) -> None:
        if not self._text:
            self._print(json.dumps(entry))
            return
        width = shutil.get_terminal_size().columns if self._out.isatty() else None
        if first:
            self._print(queue_text.header(width))
        self._print(queue_text.row(entry, datetime.now(UTC), width))

    def _print_result(self, result: ResponseLine, count: int) -> None:
        if not self._text:
            self._print(json.dumps(result))
        elif count <= MOST_SHOWN:
            self._print(queue_text.result(result))

    def _print(self, text: str) -> None:
        try:
            self._out.write(f"{text}\n")
        except BrokenPipeError:
            self._close()

    def _push(self) -> None:
        try:
            self._out.flush()
        except BrokenPipeError:
            self._close()

    def _close(self) -> None:
        self._open = False
        discard(self._out.fileno())


def _leave_if_it_failed(end: ResponseLine) -> None:
    if end["exit"] != Exit.DONE:
        _say(f"mail-sender: {end['message']}")
        raise typer.Exit(end["exit"])


def _say(text: str) -> None:
    typer.echo(text, err=True)
