"""The alert verb: `mail-sender alert test` calls the receivers of `[alert]`, and prints what they answer."""

import typer

from mail_sender.errors import Exit, MailSenderError

app = typer.Typer(
    help="Try out the alerts.",
    epilog="Exit codes: 0 every receiver has taken the alert; 1 one has not, or none is set; 2 wrong usage; "
    "77 not allowed; 78 the configuration has faults.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.command(short_help="Send a test alert to each receiver.")
def test(context: typer.Context) -> None:
    """Send a test alert to the webhook and the command of [alert]; print what each answers. It needs no sender."""
    from mail_sender import lifecycle  # noqa: PLC0415 - see `app`
    from mail_sender.cli import alert_test, privilege  # noqa: PLC0415 - as above
    from mail_sender.config import load as configuration  # noqa: PLC0415 - as above

    options = context.find_root().params
    if not options["skip_root_check"]:
        privilege.refuse_real_root()
    config = configuration.load(options["client_config"], options["sender_config"])
    if config.alert.url is None and not config.alert.command:
        raise MailSenderError("no alerts are set up: set url or command in [alert] of the mail-sender config")
    is_taken = lifecycle.run_once(alert_test.send(config))
    raise typer.Exit(Exit.DONE if is_taken else Exit.FAILED)
