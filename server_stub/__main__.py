"""Start the `server-stub` command, or say in a sentence which libraries it lacks."""

from __future__ import annotations

import sys
from importlib.util import find_spec

NEEDED = ("aiosmtpd", "cryptography")


def main() -> None:
    """Run the command line; exit code 1 with a sentence where the `stub` extra is not installed."""
    try:
        _main()
    except KeyboardInterrupt:
        sys.exit(130)  # as a shell counts it: stopped before there was anything to end


def _main() -> None:
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        sys.exit(
            f"server-stub needs {', '.join(missing)}, which mail-sender does not need: "
            "install the extra with pip install 'mail-sender[stub]'."
        )
    # Imported late: the sentence above must not depend on what it reports as missing.
    from server_stub.cli.app import run  # noqa: PLC0415 - see the line above

    run()


if __name__ == "__main__":
    main()
