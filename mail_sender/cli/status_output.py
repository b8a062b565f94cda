"""How `mail-sender status` prints: once, or again and again; as a screen of text or as JSON, one object a line.

On a terminal the headline is coloured, and `--watch` draws over the last screen. Elsewhere each screen is printed
below the one before.
"""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache

import typer

from mail_sender.cli import status_text
from mail_sender.cli.terminal import Form, print_line, stream, styled
from mail_sender.control import inquiry
from mail_sender.control.inquiry import NoStatus
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.state_folder import NoLedger
from mail_sender.observe import ledger_alone
from mail_sender.observe.as_json import ready_for_json
from mail_sender.observe.status import Status

Draw = Callable[[str], None]

_IN_MEMORY = (
    "no sender can be asked: the ledger is kept in memory ([ledger] kind), where no control socket is; read the "
    "sender's log, or have it listen ([observe] listen)"
)


class StatusOutput:
    """The output of one command; `config` says where the ledger is, and `shared` how it is reached in a database."""

    def __init__(self, config: LedgerConfig, form: Form, shared: Callable[[], LedgerConfig]) -> None:
        self._config = config
        self._shared = cache(shared)  # as the place, it is read once: --watch looks every two seconds
        self._form = form
        self._out = stream(sys.stdout)
        self._code = int(Exit.DONE)

    def once(self) -> int:
        """Print the status; return the exit code. Raises `MailSenderError`."""
        print_line(self._shown(self._asked()))
        return self._code

    def watch(self, every: float) -> int:
        """Print the status every so many seconds, until Ctrl-C; return the exit code of the last one."""
        with suppress(KeyboardInterrupt):
            if self._form == "text" and self._out.isatty():
                from mail_sender.cli.console import live  # noqa: PLC0415 - rich, which nothing else here needs

                with live(self._out) as draw:
                    self._repeat(every, draw)
            else:
                self._repeat(every, self._below)
        return self._code

    def _repeat(self, every: float, draw: Draw) -> None:
        while True:
            began = time.monotonic()
            try:
                text = self._shown(self._asked())
            except MailSenderError as error:  # it may pass
                self._code, text = int(error.exit_code), f"mail-sender: {error}"
            draw(text)
            time.sleep(max(0.0, every - (time.monotonic() - began)))

    def _below(self, text: str) -> None:
        typer.echo(text if self._form == "json" else f"{text}\n")

    def _asked(self) -> Status:
        if self._config.kind == "memory":
            raise NoStatus(_IN_MEMORY, Exit.NO_SENDER)
        if self._config.kind == "postgresql":
            return inquiry.status(state_folder.place(self._config), self._shared)
        try:
            state = state_folder.existing(self._config)
        except NoLedger:
            return ledger_alone.without_ledger(state_folder.place(self._config), datetime.now(UTC))
        return inquiry.status(state)

    def _shown(self, status: Status) -> str:
        self._code = int(exit_code(status))
        if self._form == "json":
            return json.dumps(ready_for_json(status), ensure_ascii=False, separators=(",", ":"))
        width = shutil.get_terminal_size().columns if self._out.isatty() else status_text.WIDTH
        headline, *rest = status_text.screen(status, width)
        if os.environ.get("TERM") != "dumb":
            headline = styled(headline, fg="green" if self._code == Exit.DONE else "red", bold=True)
        return "\n".join([headline, *rest])


def exit_code(status: Status) -> Exit:
    """Return 0 if all is well, 3 if no sender runs, here or elsewhere, else 1."""
    if status.healthy:
        return Exit.DONE
    runs = status.sender or status.unanswered or status.replicas
    return Exit.FAILED if runs else Exit.NO_SENDER
