"""The program's entry: `mail-sender`, and `python -m mail_sender`."""

import os
import signal
import sys

_STRAY = (signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Run the command line, with signals in order before anything that takes time is imported.

    Stray signals are ignored. SIGTERM ends the program from the start, also as a container's process 1, for which the
    kernel ignores a signal that has no handler.
    """
    for descriptor in range(3):
        _keep_open(descriptor)
    for number in _STRAY:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    # structlog would import rich to colour tracebacks, which takes a tenth of a second; nothing here is coloured.
    sys.modules["rich"] = None  # type: ignore[assignment]  # how Python marks a module that cannot be imported
    try:
        from mail_sender.cli import app  # noqa: PLC0415 - see above

        app.main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def _keep_open(descriptor: int) -> None:
    """Open /dev/null if a standard stream is closed: a connection would take its number, and get the output."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


if __name__ == "__main__":
    main()
