"""The plain start of a sender: the two files and two flags, as a service manager or a container writes them.

To parse a command line takes typer, and pydantic, by which it reads options: a tenth of a second, and 15 MB that a
sender would hold for weeks. So these few words are read here. Whatever else there is, or in another spelling, is left
to `app`, which means the same by them.
"""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from mail_sender.cli import default_paths, leaving, privilege, terminal
from mail_sender.cli.debug_level import wants_debug

COMPLETION_VARIABLE = "_MAIL_SENDER_COMPLETE"
"""Set where a shell asks for the words that may follow: then nothing starts."""

_FILES = {"-c": "c", "--client-config": "c", "-m": "m", "--mail-sender-config": "m"}
_FLAGS = {"-s": "s", "--skip-root-check": "s", "-d": "d", "--debug": "d"}


@dataclass(frozen=True, slots=True)
class PlainStart:
    """The two files of the configuration; whether real root is allowed, and whether more is logged."""

    client_config: Path
    sender_config: Path
    skips_root_check: bool
    debug: bool

    def run(self) -> NoReturn:
        """Run the sender until a signal ends it, and leave with its exit code."""
        terminal.prepare()
        leaving.leave_with(self._code)

    def _code(self) -> int:
        if not self.skips_root_check:
            privilege.refuse_real_root()
        from mail_sender.cli.start import Start  # noqa: PLC0415 - who is refused needs none of it

        return Start(self.client_config, self.sender_config, None, self.debug or wants_debug(os.environ)).sender()


def of(words: Sequence[str], environment: Mapping[str, str]) -> PlainStart | None:
    """Return the start that the words of a command line ask for; None if they are other ones."""
    if COMPLETION_VARIABLE in environment:
        return None
    given: dict[str, str] = {}
    rest = iter(words[:-1] if words[-1:] == ["run"] else words)
    for word in rest:
        if word in _FLAGS:
            given[_FLAGS[word]] = "yes"
        elif (found := _file(word, rest)) is not None:
            given[_FILES[word.partition("=")[0]]] = found
        else:
            return None
    client = given.get("c") or environment.get(default_paths.CLIENT_CONFIG_VARIABLE)
    sender = given.get("m") or environment.get(default_paths.SENDER_CONFIG_VARIABLE)
    return PlainStart(
        Path(client or default_paths.CLIENT_CONFIG),
        Path(sender or default_paths.SENDER_CONFIG),
        "s" in given,
        "d" in given,
    )


def _file(word: str, rest: Iterator[str]) -> str | None:
    """Return the file that an option names, here or in the next word; None if it is no such option, or names none."""
    option, equals, value = word.partition("=")
    if option not in _FILES or (equals and not option.startswith("--")):
        return None
    found = value if equals else next(rest, "")
    return found if found and not found.startswith("-") else None
