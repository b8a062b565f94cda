"""`mail-sender doctor`: its options. `doctor_output` has what it prints, and is imported inside, as in `app`."""

from pathlib import Path
from typing import Annotated

import typer

from mail_sender.cli.terminal import Form
from mail_sender.errors import UsageError

TOPICS = ("configuration", "templates", "ledger", "server", "relay", "domain", "ehlo_name", "clock")
"""What is examined, in this order."""

Received = Annotated[
    Path | None,
    typer.Option(
        "--received",
        metavar="FILE.eml",
        help="Read a test mail that arrived instead, and say what the mailbox thought of it: SPF, DKIM, DMARC, spam. "
        "- reads it from standard input.",
        show_default=False,
    ),
]
Output = Annotated[Form, typer.Option("-o", "--output", help="json: one object with all findings.")]


Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        metavar="TOPIC",
        help=f"Examine this alone; may be repeated: {', '.join(TOPICS)}.",
        autocompletion=lambda incomplete: [topic for topic in TOPICS if topic.startswith(incomplete)],
    ),
]


def doctor(context: typer.Context, received: Received = None, only: Only = None, output: Output = "text") -> None:
    """Find what stands in the way of mail: configuration, templates, ledger, identity server, relay, DNS, clock.

    It goes the way of a mail up to the relay's MAIL FROM, and says of each step what it saw and what to do. It never
    sends or marks anything, takes no lock, needs no running sender, shows no secret, and ends within a minute. It
    works as root and inside the container; run it as the sender's user to see what that user may read.

    With --received it examines nothing but that mail. Nothing is looked up, and it works without a configuration.

    Exit codes: 0 no fault (there may be warnings); 1 there is a fault; 2 wrong usage.
    """
    from mail_sender.cli import doctor_output  # noqa: PLC0415 - see the module's text

    options = context.find_root().params
    files = Path(options["client_config"]), Path(options["sender_config"])
    if received is not None:
        raise typer.Exit(doctor_output.print_received(received, files, output))
    if unknown := set(only or ()).difference(TOPICS):
        raise UsageError(f"--only {unknown.pop()!r} is no topic: it takes {', '.join(TOPICS)}")
    topics = only or TOPICS
    raise typer.Exit(doctor_output.print_report(files, output, topics, debug=options["debug"]))
