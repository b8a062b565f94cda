"""Every key of the two files by its name, with the kind of its value, and the environment variable that sets it.

The variable's name is the key's, with its tables: `MAIL_SENDER_RELAY_CA_PATH` for `ca_path` in `[relay]`, and
`MAIL_SENDER_CLIENT_URI` for `uri` in the client config. All of it follows from the models in `keys`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Literal

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from mail_sender.config.keys import ClientFile, SenderFile, parts_of, table_of
from mail_sender.config.toml_file import Key
from mail_sender.names.secret import Secret

PREFIX = "MAIL_SENDER_"

Kind = Literal["text", "boolean", "integer", "number", "date", "list", "table", "tables"]
"""What a key takes; a table is one with names of the user's own, `tables` are several of one kind (`[[...]]`)."""

_KINDS: tuple[tuple[type, Kind], ...] = (
    (dict, "table"),
    (list, "list"),
    (bool, "boolean"),
    (date, "date"),
    (float, "number"),
    (int, "integer"),
)


@dataclass(frozen=True, slots=True)
class KeyField:
    """A key with its tables, outermost first, and what the model says of it.

    `is_secret` says that its value is never shown. `path_key` is the key beside it that names a file with the value:
    `token_path` for `token`; None if there is none. `item` is the model of each of several tables.
    """

    key: Key
    file: Literal["client", "sender"]
    kind: Kind
    is_secret: bool
    field: FieldInfo
    path_key: Key | None = None
    item: type[BaseModel] | None = None

    @property
    def name(self) -> str:
        """The key as people write it in a sentence: `relay.ca_path`."""
        return ".".join(self.key)

    @property
    def variable(self) -> str:
        """The variable of the environment that sets it."""
        return variable(self.file, self.key)


def variable(file: Literal["client", "sender"], key: Key) -> str:
    """Return the name of the variable that sets a key of a file."""
    return PREFIX + "_".join(("client", *key) if file == "client" else key).upper()


@cache
def of_client() -> tuple[KeyField, ...]:
    """Return the keys of the client config."""
    return tuple(_fields(ClientFile, "client", ()))


@cache
def of_sender() -> tuple[KeyField, ...]:
    """Return the keys of the mail-sender config, in the order of its model."""
    return tuple(_fields(SenderFile, "sender", ()))


def inside(field: KeyField, *number: str) -> tuple[KeyField, ...]:
    """Return the keys of each of several tables (`[[relay.fallback]]`), or of the one with this number."""
    return tuple(_fields(field.item, field.file, (*field.key, *number))) if field.item else ()


def _fields(model: type[BaseModel], file: Literal["client", "sender"], tables: Key) -> Iterator[KeyField]:
    for name, field in model.model_fields.items():
        key = *tables, field.alias or name
        parts, inner = frozenset(parts_of(field.annotation)), table_of(field.annotation)
        if inner is not None and list not in parts:
            yield from _fields(inner, file, key)
            continue
        is_secret = Secret in parts
        beside = f"{name}_path"
        path_key = (*tables, beside) if is_secret and beside in model.model_fields else None
        kind: Kind = "tables" if inner else next((kind for part, kind in _KINDS if part in parts), "text")
        yield KeyField(key, file, kind, is_secret, field, path_key, inner)
