"""The program's entry: `mail-sender`, and `python -m mail_sender`."""

import signal
import sys

_STRAY = (signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Run the command line, with signals in order before anything that takes time is imported.

    Stray ones are ignored. SIGTERM ends the program from the first moment on, also as a container's process 1, for
    which the kernel ignores what has no handler.
    """
    for number in _STRAY:
        signal.signal(number, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        from mail_sender import cli  # noqa: PLC0415 - see above

        cli.main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


if __name__ == "__main__":
    main()
