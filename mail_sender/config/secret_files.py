"""The secrets that stand outside the two files: each such key has up to five sources, of which one may be used.

    token = "..."                        the file itself
    token_path = "/run/secrets/token"    a file, named by the key beside it
    MAIL_SENDER_TOKEN                    a variable
    MAIL_SENDER_TOKEN_FILE               a file, named by a variable; MAIL_SENDER_TOKEN_PATH is the same
    $CREDENTIALS_DIRECTORY/token         a credential of systemd's, also with mail-sender. in front of it

Two sources for one secret are a fault that names both: one of them is old, and nobody could tell which one counts.
What ends with a line break is used without it, which is said.
"""

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from mail_sender.config import environment as variables
from mail_sender.config import placeholders, secrets
from mail_sender.config.fields import KeyField, inside
from mail_sender.config.origin import ENVIRONMENT, Origin
from mail_sender.config.toml_file import Key, TomlFile, access
from mail_sender.config.values import without_line_ends
from mail_sender.errors import ConfigFault

MOST_OCTETS = 64 * 1024
"""Of a file with a secret: ten times as many as the longest token has."""
CREDENTIALS = "CREDENTIALS_DIRECTORY"
"""The variable with which systemd names a folder of credentials (systemd.exec(5))."""
_PROGRAM = "mail-sender."


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a secret may be found: `value` is its text, or else the path of its file."""

    origin: Origin
    value: object
    is_path: bool = False

    @property
    def identity(self) -> object:
        """What is the same if two sources name the same file."""
        if not self.is_path:
            return self.origin
        try:
            return os.path.realpath(str(self.value))
        except ValueError:  # a NUL, which no path has
            return str(self.value)

    def __str__(self) -> str:
        """Say where it is set."""
        match self.origin.kind:
            case "environment":
                return f"by {self.origin.name}"
            case "credential":
                return f"by the systemd credential {self.origin.path}"
        line = f"line {self.origin.line}" if self.origin.line else "the file"
        return f"by {self.origin.name} in {line}" if self.is_path else f"in {line}"


class BadSecretFile(ValueError):
    """A file cannot be one with a secret; the message says why, without what it holds."""


def put(
    file: TomlFile, fields: Iterable[KeyField], environment: Mapping[str, str], warnings: list[str]
) -> Iterator[ConfigFault]:
    """Put the secrets of all keys that have a file beside them into a file's values; yield faults, add warnings."""
    closed = _closed(environment.get(CREDENTIALS, ""))
    if closed and any(field.path_key for field in fields):
        yield closed
        environment = {name: text for name, text in environment.items() if name != CREDENTIALS}
    for field in fields:
        if field.path_key is not None:
            warnings += [variables.empty(name) for name in _names(field) if environment.get(name) == ""]
            sources = *_in_file(file, field.key, field.path_key), *_outside(field, environment)
            if closed and not sources:  # it may be in there
                file.unread.add(field.key)
            yield from _settle(file, field.key, field.path_key, sources, warnings)
        elif field.kind == "tables" and isinstance(tables := file.value(field.key), list):
            for one in (one for number in range(len(tables)) for one in inside(field, str(number))):
                if one.path_key is not None:
                    sources = tuple(_in_file(file, one.key, one.path_key))
                    yield from _settle(file, one.key, one.path_key, sources, warnings)


def read(path: Path) -> str:
    """Return the text of a file with a secret. Raises `BadSecretFile` and `OSError`."""
    octets = _octets(path)
    if len(octets) > MOST_OCTETS:
        raise BadSecretFile(f"is larger than {MOST_OCTETS // 1024} KiB")
    try:
        text = octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadSecretFile("is not text in UTF-8") from None
    if not text.strip():
        raise BadSecretFile("is empty")
    if "\0" in text:
        raise BadSecretFile("holds a NUL, which no text has")
    return text


def _octets(path: Path) -> bytes:
    """Return the first octets of a regular file; opening a pipe does not wait for somebody who writes."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise BadSecretFile("is a folder" if stat.S_ISDIR(mode) else "is no regular file")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read(MOST_OCTETS + 1)
    finally:
        os.close(descriptor)


def _names(field: KeyField) -> tuple[str, ...]:
    return field.variable, f"{field.variable}_FILE", f"{field.variable}_PATH"


def _in_file(file: TomlFile, key: Key, path_key: Key) -> Iterator[_Source]:
    """Yield what stands in the file itself; an empty text is none, as in Kanidm's example."""
    text, path = file.value(key), file.value(path_key)
    if text is not None and text != "":
        yield _Source(Origin("file", file.path, file.line(key)), text)
    if path is not None:
        yield _Source(Origin("file", file.path, file.line(path_key), ".".join(path_key)), path, is_path=True)


def _outside(field: KeyField, environment: Mapping[str, str]) -> Iterator[_Source]:
    """Yield the variables and the credentials that there are."""
    of_text, *of_path = _names(field)
    if text := environment.get(of_text):
        yield _Source(Origin("environment", ENVIRONMENT, name=of_text), text)
    for name in of_path:
        if path := environment.get(name):
            yield _Source(Origin("environment", ENVIRONMENT, name=name), path, is_path=True)
    if folder := environment.get(CREDENTIALS):
        for name in (field.name, f"{_PROGRAM}{field.name}"):
            credential = Path(folder, name)
            if _is_there(credential):
                yield _Source(Origin("credential", credential, name=field.name), str(credential), is_path=True)


def _closed(folder: str) -> ConfigFault | None:
    """Return the one fault of a folder of credentials that cannot be looked into, whatever would be in it."""
    try:
        Path(folder, "token").stat()
    except PermissionError as error:
        found, expected = access(Path(folder), error)
        return ConfigFault(Path(folder), None, CREDENTIALS, found, expected, unreadable=True)
    except (OSError, ValueError):  # each credential's own check reports it
        pass
    return None


def _is_there(path: Path) -> bool:
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except (OSError, ValueError):  # reading it finds out why it cannot be used
        return True
    return True


def _settle(
    file: TomlFile, key: Key, path_key: Key, sources: Iterable[_Source], warnings: list[str]
) -> Iterator[ConfigFault]:
    """Use the one source of a secret; yield a fault if there are several, or if it cannot be read."""
    different = list({source.identity: source for source in sources}.values())
    if len(different) > 1:
        file.unread.add(key)
        named = " and ".join(str(source) for source in different)
        found = f"is set {'twice' if len(different) == 2 else f'{len(different)} times'}: {named}"
        yield ConfigFault(file.path, None, ".".join(key), found, "keep one of them, and remove the rest")
    for source in different[:1]:
        yield from _use(file, key, path_key, source, warnings)


def _use(file: TomlFile, key: Key, path_key: Key, source: _Source, warnings: list[str]) -> Iterator[ConfigFault]:
    origin, text = source.origin, source.value
    if source.is_path:
        if not isinstance(text, str) or not text:  # the key's own check reports it
            file.unread.add(key)
            return
        file.put(path_key, text, origin)
        if placeholders.holds_placeholder(text):  # as above
            file.unread.add(key)
            return
        try:
            text = read(Path(text))
        except (OSError, ValueError) as error:
            file.unread.add(key)
            yield _fault(file, path_key, source, error)
            return
        origin = origin if origin.kind == "credential" else Origin("secret_file", Path(str(source.value)), via=origin)
    if isinstance(text, str) and (whole := without_line_ends(text)) != text:
        place = "the file" if origin.kind == "file" else str(origin)
        name = f"{'.'.join(key)} ({len(whole)} characters)"
        warnings.append(f"{name}: a line break around it is left out; remove it from {place}")
        text = whole
    if origin.kind != "file" or text != source.value:
        file.put(key, text, origin)


def _fault(file: TomlFile, key: Key, source: _Source, error: OSError | ValueError) -> ConfigFault:
    """Return the fault of a file that cannot be read."""
    path, expected = _shown(str(source.value)), "expected a file that holds the secret and nothing else"
    if isinstance(error, BadSecretFile):
        return file.fault(key, str(error) if source.origin.kind == "credential" else f"{path} {error}", expected)
    if isinstance(error, ValueError):  # a NUL in the path
        return file.fault(key, "is no path", expected)
    if path == secrets.HIDDEN:
        expected = "expected the absolute path of a file with the secret; what stands there may be the secret itself"
    if isinstance(error, FileNotFoundError):
        return file.fault(key, f"{path}: no such file", expected)
    if path != source.value:
        return file.fault(key, f"{path} cannot be read ({error.strerror})", expected)
    return file.unreadable(key, Path(path), error)


def _shown(path: str) -> str:
    """Return the path of a file for a message; where its folder is not known, the secret may stand in its place."""
    return secrets.shown_path(path) if path.startswith("/") else secrets.HIDDEN
