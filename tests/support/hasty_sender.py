"""mail-sender with leases of two seconds on a shared ledger, for tests that wait for their end; run as a program.

`STOP_AT_DOT=1` has it stop itself (SIGSTOP), once, between the ledger's commit of a dot and the dot.
"""

import os
import signal
from datetime import timedelta

from mail_sender import backoff
from mail_sender.ledger.base import Delivery, Imprint
from mail_sender.ledger.postgres import claims

LEASE, BEAT, MARGIN = 2.0, 0.4, 1.0


def hurry() -> None:
    """Shorten all waits that a takeover consists of, before what is made of them is imported."""
    waits = {"LEASE": LEASE, "BEAT": BEAT, "MARGIN": MARGIN, "GAP": 2 * BEAT}
    for name, seconds in waits.items():
        setattr(claims, name, seconds)
    claims._SECONDS.update(lease=LEASE, margin=MARGIN, gap=2 * BEAT)
    setattr(backoff, "OTHERS_ENDED", BEAT)  # noqa: B010 - mypy takes it for a constant
    setattr(backoff, "LEDGER_WAIT", BEAT)  # noqa: B010 - as above
    setattr(backoff, "AMBIGUOUS_WAIT", timedelta(seconds=BEAT))  # noqa: B010 - as above


def stop_at_dot() -> None:
    """Stop the process after its first dot is committed."""
    from mail_sender.ledger.postgres.ledger import PostgresLedger  # noqa: PLC0415 - see `hurry`

    dot, stops = PostgresLedger.dot, [signal.SIGSTOP]

    async def dot_and_stop(ledger: PostgresLedger, delivery: Delivery, imprint: Imprint) -> float:
        until = await dot(ledger, delivery, imprint)
        while stops:
            os.kill(os.getpid(), stops.pop())
        return until

    setattr(PostgresLedger, "dot", dot_and_stop)  # noqa: B010 - mypy has no other way for a method


def main() -> None:
    """Run the program."""
    hurry()
    if os.environ.get("STOP_AT_DOT"):
        stop_at_dot()
    from mail_sender.cli import app  # noqa: PLC0415 - see `hurry`

    app.main()


if __name__ == "__main__":
    main()
