"""`mail-sender healthcheck`: one question on the control socket, one line, one exit code, within 5 seconds.

It runs every half minute for as long as a container lives. So it imports little, reads no ledger and takes no lock. A
container's health check is written without the program's own options: then the command line is not parsed (`main`),
which takes as long as all the rest.
"""

import os
import sys
from pathlib import Path

from mail_sender.cli import default_paths, ledger_place, terminal
from mail_sender.cli.terminal import print_line
from mail_sender.control import connection
from mail_sender.control.command import Command
from mail_sender.control.connection import NoAnswer
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig

_IN_MEMORY = (
    "the ledger is kept in memory, where no control socket is: use [observe] listen and /health/alive instead"
)


def main(*, wants_ready: bool) -> None:
    """Check the sender of the configuration that the environment names, and leave with the exit code."""
    terminal.prepare()
    config = Path(os.environ.get(default_paths.SENDER_CONFIG_VARIABLE) or default_paths.SENDER_CONFIG)
    try:
        code = check(ledger_place.read(config), wants_ready=wants_ready)
    except MailSenderError as error:
        print_line(f"mail-sender: {error}", err=True)
        code = error.exit_code
    sys.exit(code)


def check(config: LedgerConfig, *, wants_ready: bool) -> Exit:
    """Ask the running sender, print one line, and return the exit code. Raises `NotAllowed`, `ForeignFile`."""
    if config.kind == "memory":
        print_line(f"cannot tell: {_IN_MEMORY}")
        return Exit.NO_SENDER
    state = state_folder.place(config)
    try:
        connected = connection.connect(state)
        lines = [] if connected is None else [*connection.ask(connected, Command("health"))]
    except NoAnswer as error:
        print_line(f"not healthy: {error}")
        return Exit.FAILED
    health = next((line["health"] for line in lines if "health" in line), None)
    if health is None:
        print_line(f"no sender runs: none answers at {state.control}" if not lines else lines[-1]["end"]["message"])
        return Exit.FAILED if lines else Exit.NO_SENDER
    print_line(health["message"])
    return Exit.DONE if health["alive"] and (health["ready"] or not wants_ready) else Exit.FAILED
