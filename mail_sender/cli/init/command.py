"""`mail-sender init`: its options. `setup` does the work, and is imported inside, as in `app`."""

from pathlib import Path
from typing import Annotated

import typer


def _providers(incomplete: str) -> list[str]:
    """Return the providers that a shell may complete."""
    from mail_sender.relay.presets import presets  # noqa: PLC0415 - see the module's text

    return [name for name in presets() if name.startswith(incomplete)]


def init(  # noqa: PLR0913, PLR0917 - each answer may be given as an option
    context: typer.Context,
    uri: Annotated[
        str | None, typer.Option("--uri", metavar="URL", help="The identity server, such as https://idm.example.com.")
    ] = None,
    ca: Annotated[
        Path | None, typer.Option("--ca", metavar="FILE", help="A PEM file with the CA of the identity server.")
    ] = None,
    display_name: Annotated[
        str | None,
        typer.Option("--display-name", metavar="NAME", help="The name before each subject, and beside From."),
    ] = None,
    instance_url: Annotated[
        str | None,
        typer.Option(
            "--instance-url", metavar="URL", help="The URL with which the links in mails begin. Default: --uri."
        ),
    ] = None,
    from_address: Annotated[
        str | None, typer.Option("--from-address", metavar="ADDRESS", help="The address that mails come from.")
    ] = None,
    reply_to: Annotated[
        str | None,
        typer.Option(
            "--reply-to", metavar="ADDRESS", help="The address that gets people's answers. Default: --from-address."
        ),
    ] = None,
    token_file: Annotated[
        str | None, typer.Option("--token-file", metavar="FILE", help="A file with the token; - is standard input.")
    ] = None,
    relay: Annotated[
        str | None,
        typer.Option("--relay", metavar="URL", help="The relay: smtps://host, smtp://host (STARTTLS), host:port."),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            "--preset",
            metavar="NAME",
            help="The relay's provider, instead of --relay.",
            autocompletion=_providers,
        ),
    ] = None,
    region: Annotated[
        str | None, typer.Option("--region", metavar="NAME", help="The region of --preset, if it has several.")
    ] = None,
    relay_ca: Annotated[
        Path | None, typer.Option("--relay-ca", metavar="FILE", help="A PEM file with the CA of the relay.")
    ] = None,
    username: Annotated[
        str | None, typer.Option("--username", metavar="NAME", help="The user at the relay, if it wants a login.")
    ] = None,
    password_file: Annotated[
        str | None,
        typer.Option("--password-file", metavar="FILE", help="A file with the password; - is standard input."),
    ] = None,
    state: Annotated[
        Path | None, typer.Option("--state", metavar="FOLDER", help="The state folder, where the ledger is kept.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option(
            "--from", metavar="FILE", help="Begin with this mail-sender config, and the client config beside it."
        ),
    ] = None,
    secret_files: Annotated[
        bool, typer.Option("--secret-files", help="Put token and password into files of their own beside the config.")
    ] = False,
    account: Annotated[
        str, typer.Option("--account", metavar="NAME", help="The account's name in the kanidm commands.")
    ] = "mail-sender",
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="NAME", help="As root: the user that runs the sender. Default: mail-sender."),
    ] = None,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Ask nothing: take options and defaults.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there; copies are kept.")] = False,
    offline: Annotated[
        bool, typer.Option("--offline", help="Write the files without asking the server or the relay.")
    ] = False,
) -> None:
    """Set the sender up: ask for what it needs, try each answer out, write both files, and run doctor.

    It writes the two files that -c and -m name, and prints the commands that make the account in Kanidm. Each answer
    can be given as an option. Without a terminal, or with --yes, nothing is asked. A token or a password is never an
    option: it is typed without being shown, or read from a file. Files that are there are not replaced without
    --force; a client config that is there is used as it is.

    Exit codes: 0 all is well; 1 doctor found a fault, or it was stopped; 2 wrong usage, or options are missing;
    77 not allowed; 78 the answers make no good configuration.
    """
    from mail_sender.cli.init import given  # noqa: PLC0415 - see the module's text

    answers = {
        "uri": uri,
        "ca_path": ca,
        "instance_display_name": display_name,
        "instance_url": instance_url,
        "mail_from_address": from_address,
        "mail_reply_to_address": reply_to,
        "mail_relay": relay,
        "relay.preset": preset,
        "relay.region": region,
        "relay.ca_path": relay_ca,
        "mail_username": username,
        "ledger.path": state,
    }
    options = context.find_root().params
    raise typer.Exit(
        given.set_up(
            given.Given(
                files=(options["client_config"], options["sender_config"]),
                answers={key: str(value) for key, value in answers.items() if value is not None},
                secret_files={"token": token_file, "mail_password": password_file},
                source=source,
                account=account,
                user=user,
                keeps_secrets_apart=secret_files,
                is_silent=yes,
                replaces=force,
                offline=offline,
                debug=options["debug"],
            )
        )
    )
