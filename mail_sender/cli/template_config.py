"""What the template verbs work on: what the mail-sender config makes of mails, a known kind, a known language."""

from pathlib import Path

import typer

from mail_sender.errors import UsageError
from mail_sender.preview import lenient_config
from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.templating import wording


def read(path: Path) -> LenientConfig:
    """Return what a mail-sender config makes of mails; without one the built-in templates, and print that.

    Raises `ConfigError` if it cannot be read at all.
    """
    config = lenient_config.read(path)
    if config.config is None:
        typer.echo(f"{path}: no such file; showing the built-in templates, with a made-up instance", err=True)
    return config


def known_kind(kind: str, known: tuple[str, ...]) -> str:
    """Return a kind that there is.

    Raises `UsageError`.
    """
    if kind not in known:
        raise UsageError(f"unknown kind {kind!r}; there are {', '.join(known)}")
    return kind


def known_language(config: LenientConfig, tag: str) -> str:
    """Return a language that there are sentences in.

    Raises `UsageError`.
    """
    templates = config.mail.appearance.templates
    try:
        wording.locale(tag)
    except wording.BadLanguage as error:
        raise UsageError(f"--language {tag!r}: {error}") from None
    if not templates.speaks(tag):
        raise UsageError(f"there are no sentences in {tag}, only in {', '.join(sorted(templates.wordings))}")
    return tag
