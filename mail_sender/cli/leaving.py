"""How a command leaves the program: by its exit code, and with one sentence where something is wrong."""

import sys
from collections.abc import Callable
from typing import NoReturn

from mail_sender.cli import terminal
from mail_sender.errors import Exit, MailSenderError


def leave_with(work: Callable[[], int | None]) -> NoReturn:
    """Do the work and leave with the exit code that it returns, or that its error has."""
    try:
        sys.exit(work())
    except MailSenderError as error:
        terminal.print_line(f"mail-sender: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:  # a command's output, into a full disk or a closed pipe
        terminal.discard(1)
        terminal.print_line(f"mail-sender: cannot write its output: {error.strerror}", err=True)
        sys.exit(Exit.FAILED)
