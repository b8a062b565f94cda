"""What `template preview` does: it prints or writes one mail, or serves all of them as a page."""

from functools import partial
from pathlib import Path

import typer

from mail_sender.cli import template_config
from mail_sender.errors import MailSenderError, UsageError
from mail_sender.mail.render import BrokenTemplate, Unrenderable
from mail_sender.preview import lenient_config, sample_mail
from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.preview.sample_mail import SampleMail
from mail_sender.templating import samples


def print_mail(path: Path, kind: str, language: str | None, data: Path | None, out: Path | None) -> None:
    """Print the mail of a made-up message, or write it into a file.

    Raises `MailSenderError` after that, where a template failed and the built-in one stood in for it.
    """
    config = template_config.read(path).usable
    template_config.require(config.mail.appearance.templates, kind, language)
    made = _made(config, kind, language, data)
    if out is None:
        typer.echo(f"Subject: {made.subject}\n\n{made.text}", nl=False)
    else:
        made.write(out)
        typer.echo(f"{out} written", err=True)
    if made.mail.fault:
        raise MailSenderError(f"{made.mail.fault}; this preview uses the built-in one, as a real mail would")


def serve(path: Path, port: int, kind: str | None, language: str | None, data: Path | None) -> None:
    """Serve previews until Ctrl-C; configuration, templates and data are read anew for each page."""
    from mail_sender.preview import page, server  # noqa: PLC0415 - one mail alone needs no server

    config = template_config.read(path)
    if not config.unusable:
        template_config.require(config.mail.appearance.templates, kind, language)
    fields = partial(sample_mail.read_fields, data)
    fields()
    shown = page.Previews(partial(lenient_config.read, path), kind, language, fields)
    with server.listen(port, shown) as listening:
        typer.echo(f"Previews at {listening.url} - reload the page after a change; Ctrl-C stops the server.")
        listening.serve()


def _made(config: LenientConfig, kind: str, language: str | None, data: Path | None) -> SampleMail:
    try:
        return sample_mail.render_sample(config.mail, kind, language, sample_mail.read_fields(data))
    except samples.BadData as error:
        raise UsageError(f"{data}: {error}") from None
    except (BrokenTemplate, Unrenderable) as error:
        raise MailSenderError(str(error)) from None
