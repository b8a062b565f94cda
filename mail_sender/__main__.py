"""The program's entry: `mail-sender`, and `python -m mail_sender`."""

import gc
import os
import signal
import sys

_STRAY = (signal.SIGALRM, signal.SIGPROF, signal.SIGUSR1, signal.SIGUSR2)
# structlog imports three of them for colours and other threads, httpx one for its command line, dateutil one for the
# registry of Windows, shutil two for archives; all do without.
_UNUSED = ("rich", "colorama", "greenlet", "httpx._main", "dateutil.tz.win", "bz2", "lzma")
_OBJECTS = 200_000
_HEALTH_CHECKS = (["healthcheck"], ["healthcheck", "--ready"])


def main() -> None:
    """Run the command line, with signals in order before anything that takes time is imported.

    Stray signals are ignored. SIGHUP waits until a sender can take it (`lifecycle`), so that none is lost; where no
    sender runs, it does nothing. SIGTERM ends the program from the start, also as a container's process 1, for which
    the kernel ignores a signal that has no handler.
    """
    for descriptor in range(3):
        _keep_open(descriptor)
    for number in _STRAY:
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    trim_imports()
    try:
        if sys.argv[1:] in _HEALTH_CHECKS:
            from mail_sender.cli import health_output  # noqa: PLC0415 - see above

            health_output.main(wants_ready="--ready" in sys.argv)
        from mail_sender.cli import plain_start  # noqa: PLC0415 - see above

        if (start := plain_start.of(sys.argv[1:], os.environ)) is not None:
            start.run()
        from mail_sender.cli import app  # noqa: PLC0415 - see above

        app.main()
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def trim_imports() -> None:
    """Import no more than the sender uses, and faster; call it before any library is imported."""
    for name in _UNUSED:
        sys.modules[name] = None  # type: ignore[assignment]  # how Python marks a module that cannot be imported
    # pydantic would read the metadata of every installed package to look for plugins.
    os.environ["PYDANTIC_DISABLE_PLUGINS"] = "__all__"
    # Imports leave hardly any garbage, and Python would look for it again and again; `lifecycle` sets it back.
    gc.set_threshold(_OBJECTS)


def _keep_open(descriptor: int) -> None:
    """Open /dev/null if a standard stream is closed: a connection would take its number, and get the output."""
    try:
        os.fstat(descriptor)
    except OSError:
        os.open(os.devnull, os.O_RDWR)


if __name__ == "__main__":
    main()
