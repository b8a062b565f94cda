"""The command line: Kanidm's flags and our exit codes.

Without a command the sender runs in the foreground until a signal ends it. A fault before that is one sentence on
standard error and an exit code; the log takes over once the sender runs. Modules that only one command needs are
imported inside it, so that `--help` and `--version` answer at once.
"""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mail_sender import __version__
from mail_sender.cli import (
    alert,
    completion,
    config,
    default_paths,
    doctor,
    leaving,
    ledger,
    privilege,
    queue,
    status,
    template,
    terminal,
)
from mail_sender.cli.debug_level import wants_debug
from mail_sender.cli.init import command as init
from mail_sender.errors import ConfigError, ConfigFault, Exit, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mail_sender.cli.start import Start

app = typer.Typer(
    context_settings={"help_option_names": ["-h", "--help"]},
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.add_typer(queue.app, name="queue")
app.add_typer(template.app, name="template")
app.command(short_help="Set the sender up.")(init.init)
app.command(short_help="Show whether mail flows.")(status.status)
app.command(short_help="Find what stands in the way of mail.")(doctor.doctor)
app.add_typer(alert.app, name="alert")
app.add_typer(config.app, name="config")
app.add_typer(ledger.app, name="ledger")
app.command(short_help="Ask a running sender whether it is alive.")(status.healthcheck)
app.command(short_help="Print the script that makes a shell complete commands.")(completion.completion)


def main() -> None:
    """Run the command line and leave with its exit code."""
    terminal.prepare()
    completion.prepare()
    leaving.leave_with(_run_words)


def _run_words() -> int | None:
    try:
        code: int | None = app(prog_name="mail-sender", standalone_mode=False)
    except typer.TyperException as error:
        from mail_sender.cli import usage  # noqa: PLC0415 - see the module's text

        terminal.print_line(usage.explanation(error, "mail-sender"), err=True)
        return Exit.USAGE
    except typer.Abort:  # at a question
        terminal.print_line("mail-sender: stopped; nothing was changed", err=True)
        return Exit.FAILED
    return code


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mail-sender {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def run(  # noqa: PLR0913, PLR0917 - Kanidm's flags, and ours
    context: typer.Context,
    client_config: Annotated[
        Path,
        typer.Option(
            "-c",
            "--client-config",
            envvar=default_paths.CLIENT_CONFIG_VARIABLE,
            metavar="FILE",
            readable=False,  # ours says more than typer's check would
            help="Kanidm's client config.",
        ),
    ] = default_paths.CLIENT_CONFIG,
    sender_config: Annotated[
        Path,
        typer.Option(
            "-m",
            "--mail-sender-config",
            envvar=default_paths.SENDER_CONFIG_VARIABLE,
            metavar="FILE",
            readable=False,
            help="The mail-sender config.",
        ),
    ] = default_paths.SENDER_CONFIG,
    test_email: Annotated[
        str | None,
        typer.Option("-t", "--test-email", metavar="ADDRESS", help="Send one test mail to ADDRESS, and exit."),
    ] = None,
    fallback: Annotated[
        int | None,
        typer.Option("--fallback", metavar="N", min=1, help="With -t: send it through the Nth [[relay.fallback]]."),
    ] = None,
    dry_run: Annotated[
        str | None,
        typer.Option(
            "--dry-run",
            metavar="FOLDER",
            help="Dry run: write each mail into FOLDER; send and mark nothing.",
        ),
    ] = None,
    debug: Annotated[
        bool, typer.Option("-d", "--debug", help="Log more, but never secrets; also by KANIDM_DEBUG=true.")
    ] = False,
    skip_root_check: Annotated[bool, typer.Option("-s", "--skip-root-check", help="Run even as root.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version, and exit.")
    ] = False,
) -> None:
    """Send an identity server's mail: poll its queue, send each mail through a TLS relay, mark it as sent.

    Without -t and without a command, mail-sender runs in the foreground until SIGTERM or SIGINT. SIGHUP reads the
    configuration anew.

    Exit codes: 0 success; 1 the relay refused; 2 wrong usage; 75 try again later; 77 not allowed (root, unreadable
    config); 78 the configuration has faults.
    """
    if context.invoked_subcommand is not None:
        dry_run = None if context.invoked_subcommand == "run" else dry_run
        _refuse_with_command(
            context.invoked_subcommand, {"-t": test_email, "--fallback": fallback, "--dry-run": dry_run}
        )
        return
    _refuse_root(context)
    if fallback is not None and test_email is None:
        raise UsageError("--fallback belongs to -t, which names the address of the test mail")
    recipient = _recipient(test_email)
    start = _start(context)
    if recipient is None:
        raise typer.Exit(start.sender())
    raise typer.Exit(start.test_mail(recipient, fallback))


@app.command("run", short_help="Run the sender, as without a command; or once.")
def _run(
    context: typer.Context,
    once: Annotated[
        bool, typer.Option("--once", help="Poll once, try all that is due, mark what was sent, and exit.")
    ] = False,
) -> None:
    """Run the sender in the foreground, as mail-sender does without a command; or once, for cron and CI.

    Exit codes with --once: 0 all is done; 1 something was given up, or is held or unknown; 75 something still waits,
    or a sender that runs has the ledger; 77 and 78 as without a command.
    """
    _refuse_root(context)
    start = _start(context)
    raise typer.Exit(start.once() if once else start.sender())


def _refuse_root(context: typer.Context) -> None:
    """Raise `NotAllowed` as real root, unless -s was given."""
    if not context.find_root().params["skip_root_check"]:
        privilege.refuse_real_root()


def _refuse_with_command(command: str, options: "Mapping[str, object]") -> None:
    """Raise `UsageError` if an option that a command does not take is given beside it."""
    for name, value in options.items():
        if value is not None:
            raise UsageError(f"{name} does nothing beside `{command}`: leave out one of the two")


def _recipient(text: str | None) -> str | None:
    from mail_sender.names import address  # noqa: PLC0415 - see the module's text

    if text is None:
        return None
    try:
        return address.parse(text)
    except address.BadAddress as error:
        raise UsageError(f"{text!r} is not a mail address that can be used: {error}") from None


def _folder(text: str | None) -> Path | None:
    """Return the folder of a dry run. Raises `ConfigError` if mails cannot be written into it."""
    if text is None:
        return None
    from mail_sender.relay import folder  # noqa: PLC0415 - see the module's text

    path = Path(text).absolute()
    if problem := folder.problem(path) if text else "no folder is named":
        raise ConfigError(
            [ConfigFault(Path("--dry-run"), None, "", problem, "name a folder that can be written")], []
        )
    return path


def _start(context: typer.Context) -> "Start":
    """Return the start of a sender, or of a test mail, with the options before the command."""
    given = context.find_root().params
    folder = _folder(given["dry_run"])
    from mail_sender.cli.start import Start  # noqa: PLC0415 - see the module's text

    debug = given["debug"] or wants_debug(os.environ)
    return Start(given["client_config"], given["sender_config"], folder, debug)
