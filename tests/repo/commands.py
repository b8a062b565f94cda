"""The commands of the pages, taken apart: what a person would type, down to what it starts inside a container or as another user."""

import re
import shlex
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from pathlib import PurePosixPath

import typer
from typer.main import get_command

from mail_sender.cli import app as sender_app
from server_stub.cli import app as stub_app
from tests.repo import blocks
from tests.repo.blocks import Block

OURS = {"mail-sender": sender_app.app, "server-stub": stub_app.app}
_ENGINES = {"podman", "docker"}
_VALUES = {"ID": "0b0dba1c-4f2c-4c1e-9f0e-1d3a5b7c9e11"}
"""What stands in a page for what the reader puts there."""


@dataclass(frozen=True)
class Command:
    """One command of a page: its program and its arguments."""

    where: str
    program: str
    arguments: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.where}: {shlex.join([self.program, *self.arguments])}"


def commands() -> Iterator[Command]:
    """Yield every command of every block that a shell would read."""
    for block in blocks.blocks("sh", "console"):
        yield from of_block(block)


def of_block(block: Block) -> Iterator[Command]:
    """Yield a block's commands; in a `console` block these are the lines after a prompt."""
    for line in script(block).replace("\\\n", " ").splitlines():
        words: list[str] = []
        lexer = shlex.shlex(line, posix=True, punctuation_chars=True)
        lexer.wordchars += "$:{}*?!,@%+^[]"
        for word in [*lexer, ";"]:
            if re.fullmatch(r"[;&|]+", word):
                yield from _unfolded(str(block), _without_redirections(words))
                words = []
            else:
                words.append(word)


def script(block: Block) -> str:
    """Return what a shell would get."""
    if block.language == "sh":
        return block.text
    typed = re.findall(r"^[$#] ((?:.*\\\n)*.*)$", block.text, re.MULTILINE)
    return "\n".join(typed)


def _without_redirections(words: Sequence[str]) -> list[str]:
    found: list[str] = []
    rest = iter(words)
    for word in rest:
        if re.fullmatch(r"[<>]+&?", word):
            next(rest, None)  # the file
            if found and found[-1].isdigit():
                found.pop()  # the descriptor
        else:
            found.append(word)
    return found


def _unfolded(where: str, words: Sequence[str]) -> Iterator[Command]:
    """Yield a command, and the one that it starts, if it is one of those that start others."""
    while words and re.match(r"\w+=", words[0]):
        words = words[1:]
    if not words:
        return
    program = words[0] if "/" in words[0] and words[0].startswith("scripts/") else PurePosixPath(words[0]).name
    arguments = words[1:]
    yield Command(where, program, tuple(arguments))
    if inner := _started(program, list(arguments)):
        yield from _unfolded(where, inner)


def _started(program: str, arguments: list[str]) -> list[str]:
    if program in _ENGINES and arguments[:1] == ["exec"]:
        return _after_options(arguments[1:])[1:]
    if program in _ENGINES and {"run", "create"} & set(arguments[:2]):
        return _in_image(arguments)
    if program == "runuser" or (program == "kubectl" and "exec" in arguments):
        return arguments[arguments.index("--") + 1 :] if "--" in arguments else []
    if program == "sudo":
        return _after_options(arguments, with_value={"-u", "-g"})
    return []


def _in_image(arguments: list[str]) -> list[str]:
    """Return what runs in our image: the program is its entry point."""
    for index, (before, word) in enumerate(pairwise(arguments), 1):
        is_image = re.fullmatch(r"(?:\S+/)?mail-sender(?:[:@]\S+)?", word) and "=" not in word
        if is_image and before not in {"--name", "-v", "--network"}:
            return ["mail-sender", *arguments[index + 1 :]]
    return []


def _after_options(arguments: list[str], with_value: Container[str] = ()) -> list[str]:
    while arguments and arguments[0].startswith("-"):
        arguments = arguments[2 if arguments[0] in with_value else 1 :]
    return arguments


@cache
def tree(program: str) -> typer.core.TyperGroup:
    """Return the command line of one of our programs."""
    found = get_command(OURS[program])
    assert isinstance(found, typer.core.TyperGroup)
    return found


def problem(command: Command) -> str | None:
    """Return what the program itself would find wrong with its arguments, or None. Nothing is run."""
    words = [_VALUES.get(word, word) for word in command.arguments]
    level: typer.core.TyperGroup | typer.core.TyperCommand = tree(command.program)
    name: str | None = command.program
    context = None
    try:
        while True:
            context = level.make_context(name, list(words), parent=context)
            if not isinstance(level, typer.core.TyperGroup):
                return None
            words = [*context._protected_args, *context.args]
            if not words:
                return None
            name, found, words = level.resolve_command(context, words)
            assert isinstance(found, typer.core.TyperGroup | typer.core.TyperCommand)
            level = found
    except typer.Exit:  # --help, --version
        return None
    except typer.TyperException as error:
        return error.format_message()


def unknown(text: str) -> str | None:
    """Return the first word or option of a command in a sentence that its program does not have, or None."""
    program, *words = text.replace("[", "").replace("]", "").split()
    level: typer.core.TyperGroup | typer.core.TyperCommand = tree(program)
    levels = [level]
    for word in words:
        if word == "...":
            break
        options = {name for one in levels for option in one.params for name in (*option.opts, *option.secondary_opts)}
        if word.startswith("-") and word.partition("=")[0] not in options | {"-h", "--help"}:
            return f"no option {word}"
        if (
            isinstance(level, typer.core.TyperGroup)
            and re.fullmatch(r"[a-z][a-z|-]*", word)
            and not word.startswith("-")
        ):
            names = word.split("|")
            if missing := [name for name in names if name not in level.commands]:
                return f"no command {missing[0]}"
            found = level.commands[names[0]]
            assert isinstance(found, typer.core.TyperGroup | typer.core.TyperCommand)
            level = found
            levels.append(level)
    return None
