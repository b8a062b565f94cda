"""What was given on the command line, made ready for `setup`: paths in full, and secrets read from their files."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mail_sender.cli.debug_level import wants_debug
from mail_sender.cli.init import beginning, kanidm_commands
from mail_sender.cli.init.dialogue import Dialogue, is_at_a_terminal
from mail_sender.cli.init.questions import QUESTIONS
from mail_sender.cli.init.setup import Request, Setup
from mail_sender.cli.terminal import print_line
from mail_sender.config.secret_files import MOST_OCTETS
from mail_sender.errors import Exit, UsageError
from mail_sender.relay import relay_url

_STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """The options of `init`, and of the program. `files` are the client config and the mail-sender config."""

    files: tuple[Path, Path]
    answers: Mapping[str, str] = field(repr=False)
    secret_files: Mapping[str, str | None]
    source: Path | None
    account: str
    user: str | None
    keeps_secrets_apart: bool
    is_silent: bool
    replaces: bool
    offline: bool
    debug: bool


def set_up(given: Given) -> Exit:
    """Set the sender up; return the exit code. Raises `MailSenderError`."""
    try:
        account = kanidm_commands.checked(given.account)
    except kanidm_commands.BadAccount as error:
        raise UsageError(f"--account {given.account!r}: {error}") from None
    answers = dict(given.answers)
    _warn_of_password(answers.get("mail_relay"))
    answers.update(_secrets(given.secret_files))
    asks = not given.is_silent and _STANDARD_INPUT not in given.secret_files.values() and is_at_a_terminal()
    request = Request(
        base=beginning.base(*given.files, given.source),
        given=answers,
        account=account,
        user=given.user,
        keeps_secrets_apart=given.keeps_secrets_apart,
        replaces=given.replaces,
        offline=given.offline,
        debug=given.debug or wants_debug(os.environ),
    )
    return Setup(request, Dialogue(asks=asks)).run()


def _warn_of_password(relay: str | None) -> None:
    try:
        has_password = bool(relay_url.parse(relay or "").password)
    except relay_url.BadRelay:
        has_password = "@" in (relay or "")
    if has_password:
        print_line(
            "warning: --relay holds a password, which your shell's history keeps, and `ps` shows; "
            "next time give --username and --password-file",
            err=True,
        )


def _secrets(files: Mapping[str, str | None]) -> dict[str, str]:
    if list(files.values()).count(_STANDARD_INPUT) > 1:
        raise UsageError("standard input can hold one secret: write the other one into a file")
    return {key: _secret(QUESTIONS[key].flag, name) for key, name in files.items() if name is not None}


def _secret(flag: str, name: str) -> str:
    """Return what a file holds, without the line end that editors and pipes add."""
    try:
        if name == _STANDARD_INPUT:
            octets = sys.stdin.buffer.read(MOST_OCTETS + 1)
        else:
            with Path(name).open("rb") as file:
                octets = file.read(MOST_OCTETS + 1)
        if len(octets) > MOST_OCTETS:
            raise UsageError(f"{flag} {name}: this is no secret, since it has more than {MOST_OCTETS} octets")
        return octets.decode().rstrip("\r\n")
    except OSError as error:
        raise UsageError(f"{flag} {name}: cannot be read ({(error.strerror or 'unknown error').lower()})") from None
    except UnicodeDecodeError:
        raise UsageError(f"{flag} {name}: cannot be read as text (UTF-8)") from None
