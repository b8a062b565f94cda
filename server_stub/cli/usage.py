"""Usage errors as sentences: what is wrong with the command line, and what to do.

typer's own texts speak of its types. This module reads what its exceptions hold, and says it anew. The same file
stands in `mail_sender/cli` and in `server_stub/cli`, which do not import each other (tests/repo/test_layout.py).
"""

import re
from collections.abc import Iterable, Iterator
from difflib import get_close_matches
from uuid import UUID

from pydantic import ValidationError
from typer import TyperException
from typer._click import Command, Context
from typer._click.exceptions import (
    BadOptionUsage,
    BadParameter,
    MissingParameter,
    NoArgsIsHelpError,
    NoSuchOption,
    UsageError,
)
from typer.core import TyperArgument, TyperGroup, TyperOption

_NO_COMMAND = re.compile(r"No such command (.*?)\.?( Did you mean .*)?", re.DOTALL)
_TOO_MANY = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)
_LONGEST = 60  # characters that are shown of a bad value
_ID = "an id such as 6f1c2a3e-0d4b-4c8e-9a57-1f2e3d4c5b6a"

_Parameter = TyperArgument | TyperOption


def explanation(error: TyperException, program: str) -> str:
    """Return what is wrong with the command line and what to do; for a group of commands alone, its help."""
    if isinstance(error, NoArgsIsHelpError):
        return error.format_message()
    return f"{program}: {_sentence(error)}"


def _sentence(error: TyperException) -> str:
    match error:
        case NoSuchOption(ctx=Context() as context):
            return _unknown_option(context, error.option_name)
        case BadOptionUsage():
            option = _printable(error.option_name)
            alone = "does not take a value" in error.message
            return f"{option} " + (
                "takes no value: write it alone" if alone else f"needs a value: write it after {option}"
            )
        case MissingParameter(ctx=Context() as context, param=TyperArgument() | TyperOption() as parameter):
            return f"`{context.command_path}` needs {_name(parameter)}: {_meaning(parameter)}"
        case BadParameter(ctx=context, param=TyperArgument() | TyperOption() as parameter):
            return _bad_value(context, error, parameter)
        case UsageError(ctx=Context() as context):
            return _wrong_words(context, error.message)
    return _printable(error.format_message())


def _wrong_words(context: Context, message: str) -> str:
    """Say what is wrong with words that are neither options nor their values."""
    path, command = context.command_path, context.command
    if found := _NO_COMMAND.fullmatch(message):
        return _unknown_command(context, found[1].strip("'\""))
    if found := _TOO_MANY.fullmatch(message):
        names = [_name(each) for each in command.params if isinstance(each, TyperArgument)]
        takes = f"only {_listed(names)}" if names else "no argument"
        return f"`{path}` takes {takes}: leave out {_printable(found[1])}"
    return f"`{path}` needs a command: {_listed(_commands(command), 'or')}"


def _unknown_option(context: Context, option: str) -> str:
    """Say where an option belongs, or which one may be meant."""
    shown, path, above = _printable(option), context.command_path, context.parent
    while above is not None:
        if found := _options(above.command).get(option):
            rest = path.removeprefix(above.command_path)
            example = f"{above.command_path} {shown}{_value(found)}{rest}"
            return f"{shown} belongs before the command: `{example}`"
        above = above.parent
    for name, command in _below(context.command, path):
        if found := _options(command).get(option):
            return f"{shown} belongs after the command, as in `{name} {shown}{_value(found)}`"
    near = get_close_matches(option, _options(context.command), n=1)
    return f"`{path}` has no option {shown}{_advice(path, near)}"


def _unknown_command(context: Context, word: str) -> str:
    path, group = context.command_path, context.command
    elsewhere = [f"`{name}`" for name, _ in _below(group, path) if name.split()[-1] == word]
    commands = _commands(group)
    near = elsewhere or [f"`{path} {name}`" for name in get_close_matches(word.lower(), commands, n=1)]
    advice = f"did you mean {_listed(near, 'or')}?" if near else f"it has {_listed(commands)}"
    return f"`{path}` has no command '{_printable(word)}'; {advice}"


def _bad_value(context: Context | None, error: BadParameter, parameter: _Parameter) -> str:
    """Say what is expected there, and what was found."""
    place, cause = _place(context, parameter), error.__cause__
    if not isinstance(cause, ValidationError):
        return f"{place}: {_printable(error.message)}"
    found = str(cause.errors()[0]["input"])
    shown = found if len(found) <= _LONGEST else f"{found[:_LONGEST]}…"
    choices = [str(choice) for choice in parameter.type_descriptor.choices or ()]
    near = get_close_matches(found.lower(), choices, n=1)
    advice = f"; did you mean {near[0]}?" if near else ""
    return f"{place} takes {_listed(choices, 'or') or _expected(parameter)}, not {shown!r}{advice}"


def _expected(parameter: _Parameter) -> str:
    kind = parameter.type_descriptor
    least, most = kind.parameter_info.min, kind.parameter_info.max
    if kind.annotation is int:
        bounds = "" if least is None else f" from {least} up" if most is None else f" from {least} to {most}"
        return f"a whole number{bounds}"
    return {bool: "true or false", UUID: _ID}.get(kind.annotation, "another value")


def _place(context: Context | None, parameter: _Parameter) -> str:
    """Return where a bad value stands: the option, the argument, or the variable of the environment."""
    source = context.get_parameter_source(parameter.name) if context else None
    if source is not None and source.name == "ENVIRONMENT":
        return str(parameter.envvar)
    return _name(parameter)


def _name(parameter: _Parameter) -> str:
    if isinstance(parameter, TyperArgument):
        return parameter.display_name_raw.strip("[]").upper()
    return max(parameter.opts, key=len)


def _meaning(parameter: _Parameter) -> str:
    text = (parameter.help or "see --help").rstrip(".")
    return text[0].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _value(option: TyperOption) -> str:
    return "" if option.is_flag else f" {option.metavar or 'VALUE'}"


def _advice(path: str, near: list[str]) -> str:
    return f"; did you mean {near[0]}?" if near else f"; `{path} --help` lists its options"


def _options(command: Command) -> dict[str, TyperOption]:
    return {name: each for each in command.params if isinstance(each, TyperOption) for name in each.opts}


def _commands(command: Command) -> list[str]:
    """Return the names of a group's commands, without the hidden ones."""
    return [name for name, each in _members(command) if not each.hidden]


def _members(command: Command) -> Iterable[tuple[str, Command]]:
    return command.commands.items() if isinstance(command, TyperGroup) else ()


def _below(command: Command, path: str) -> Iterator[tuple[str, Command]]:
    """Yield all commands below one with their paths, without the hidden ones."""
    for name, each in _members(command):
        if not each.hidden:
            yield f"{path} {name}", each
            yield from _below(each, f"{path} {name}")


def _listed(names: list[str], conjunction: str = "and") -> str:
    """Return names as people list them: "a, b and c"."""
    return f" {conjunction} ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _printable(text: str) -> str:
    """Return a text with its control characters shown, not obeyed."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
