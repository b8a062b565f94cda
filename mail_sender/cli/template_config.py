"""What the template verbs work on: what the mail-sender config makes of mails, a known kind, a known language."""

from pathlib import Path

import typer

from mail_sender.errors import UsageError
from mail_sender.preview import lenient_config
from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.templating import wording
from mail_sender.templating.template_set import TemplateSet


def read(path: Path) -> LenientConfig:
    """Return what a mail-sender config makes of mails; without one the built-in templates, and print that.

    Raises `ConfigError` if it cannot be read at all.
    """
    config = lenient_config.read(path)
    if config.config is None:
        typer.echo(f"{path}: no such file; showing the built-in templates, with a made-up instance", err=True)
    return config


def require(templates: TemplateSet, kind: str | None, language: str | None = None) -> None:
    """Raise `UsageError` if no template makes the kind, or there are no sentences in the language."""
    if kind is not None and kind not in templates.kinds:
        raise UsageError(f"unknown kind {kind!r}; there are {', '.join(templates.kinds)}")
    if language is None:
        return
    try:
        wording.locale(language)
    except wording.BadLanguage as error:
        raise UsageError(f"--language {language!r}: {error}") from None
    if not templates.speaks(language):
        raise UsageError(f"there are no sentences in {language}, only in {', '.join(sorted(templates.wordings))}")
