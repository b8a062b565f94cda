"""The two files, with what the environment and the files of secrets put over them, and what a preset puts below.

A file that is missing is no fault if the environment sets every key that must be set: a container may do without one.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from mail_sender.config import environment as variables
from mail_sender.config import presets, secret_files
from mail_sender.config.fields import PREFIX, KeyField, of_client, of_sender
from mail_sender.config.origin import ENVIRONMENT
from mail_sender.config.toml_file import TomlFile
from mail_sender.errors import ConfigFault


@dataclass(frozen=True, slots=True)
class Sources:
    """The two files; `faults` are those of secrets, and `warnings` are about the environment."""

    client: TomlFile
    sender: TomlFile
    faults: list[ConfigFault] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read(client_path: Path, sender_path: Path, environment: Mapping[str, str] = os.environ) -> Sources:
    """Return both files with all that goes over them."""
    return of_files(TomlFile(client_path, flag="-c"), TomlFile(sender_path, flag="-m"), environment)


def of_files(client: TomlFile, sender: TomlFile, environment: Mapping[str, str] = os.environ) -> Sources:
    """Return two files that were just read, or are not written yet, with all that goes over them."""
    found = Sources(client, sender)
    environment = _readable(environment, found)
    _complete(found.client, of_client(), environment, found)
    _complete(found.sender, of_sender(), environment, found)
    found.warnings.extend(variables.unknown(environment))
    return found


def read_sender(path: Path, environment: Mapping[str, str] = os.environ) -> Sources:
    """Return the mail-sender config alone with all that goes over it; the client config is empty."""
    found = Sources(TomlFile(Path(os.devnull)), TomlFile(path, flag="-m"))
    environment = _readable(environment, found)
    _complete(found.sender, of_sender(), environment, found)
    return found


def _readable(environment: Mapping[str, str], found: Sources) -> Mapping[str, str]:
    """Return the environment without what is no text; each of our own variables that is none is a fault."""
    usable = {name: text for name, text in environment.items() if _is_text(name) and _is_text(text)}
    for name in sorted(set(environment) - set(usable)):
        if name.startswith(PREFIX) and _is_text(name):
            expected = "expected text in UTF-8"
            found.faults.append(ConfigFault(ENVIRONMENT, None, name, "holds octets that are not UTF-8", expected))
    return usable


def _is_text(text: str) -> bool:
    """Say whether all of a text was UTF-8: Python keeps other octets of the environment as half characters."""
    return not any("\ud800" <= char <= "\udfff" for char in text)


def _complete(file: TomlFile, fields: tuple[KeyField, ...], environment: Mapping[str, str], found: Sources) -> None:
    of_secrets = {key for one in fields if one.path_key for key in (one.key, one.path_key)}
    plain = [one for one in fields if one.key not in of_secrets]
    found.warnings.extend(variables.put(file, plain, environment))
    found.faults.extend(secret_files.put(file, fields, environment, found.warnings))
    if fields is of_sender():
        found.faults.extend(presets.put(file))
    required = [one.key for one in fields if len(one.key) == 1 and one.field.is_required()]
    if file.is_missing and all(file.value(key) is not None for key in required):
        file.faults.clear()
