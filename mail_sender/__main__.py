"""The program's entry: `mail-sender`, and `python -m mail_sender`."""

import signal

_STRAY = (signal.SIGHUP, signal.SIGALRM, signal.SIGUSR1, signal.SIGUSR2)


def main() -> None:
    """Run the command line; signals that would kill it by accident are ignored before anything else is imported."""
    for number in _STRAY:
        signal.signal(number, signal.SIG_IGN)
    from mail_sender import cli  # noqa: PLC0415 - see above

    cli.main()


if __name__ == "__main__":
    main()
