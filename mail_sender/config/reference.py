"""Every key of the two files with all that is said of it: type, default, description, example, variables.

The descriptions stand in `descriptions.toml`, and the rest follows from the models in `keys`. Nothing here is loaded
when the sender starts: the page about the configuration, `mail-sender config` and the JSON schema are made of it.
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

from mail_sender import toml
from mail_sender.config.environment import variables
from mail_sender.config.fields import KeyField, inside, of_client, of_sender
from mail_sender.config.keys import ClientFile, SenderFile

_FILE = Path(__file__).with_name("descriptions.toml")
_OPTIONAL_LINK = re.compile(r"\s*\(\[[^\]]*\]\([^)]*\)\)")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_TARGET = re.compile(r"\]\(([^)#]*)(#[^)]*)?\)")
_LEFT_OUT = frozenset({"title", "description", "$defs"})
_NO_MORE_THAN_TABLES = 2
"""Keys that stand deeper are described in the row of their table."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One key, or a table inside a table.

    `name` is unique over both files: `relay.ca_path`, and `client.ca_path` for the client config's. `table` is empty
    at the top level. `text` and `default` are Markdown, `example` is TOML, `type` is a phrase. `default_value` is the
    default where it is plain data, else None. `variables` can set the key. `is_of_several` says that its table is one
    of several (`[[relay.fallback]]`).
    """

    file: Literal["client", "sender"]
    table: str
    key: str
    type: str
    is_required: bool
    is_secret: bool
    default: str
    text: str
    example: str
    default_value: object = None
    variables: tuple[str, ...] = ()
    is_of_several: bool = False

    @property
    def name(self) -> str:
        """The key with its table, and `client.` for the client config."""
        return ".".join(part for part in ("client" if self.file == "client" else "", self.table, self.key) if part)

    @property
    def title(self) -> str:
        """The key as the documents write it: `[relay] ca_path`."""
        table = f"[{self.table}]" if self.is_of_several else self.table
        return f"[{table}] {self.key}" if table else self.key

    @property
    def plain_text(self) -> str:
        """The description without Markdown."""
        return plain(self.text)

    @property
    def pages(self) -> tuple[str, ...]:
        """The pages of `docs/` that say more."""
        found = _TARGET.findall(self.text)
        return tuple(dict.fromkeys(f"docs/{page or 'configuration.md'}" for page, _ in found))


def plain(markdown: str) -> str:
    """Return a text of `descriptions.toml` for a terminal: without links, and without backticks."""
    return _LINK.sub(r"\1", _OPTIONAL_LINK.sub("", markdown)).replace("`", "")


def sentence(text: str) -> str:
    """Return a description as sentences: with a capital and a full stop."""
    stop = "" if text.endswith((".", "?", "!")) else "."
    return f"{text[:1].upper()}{text[1:]}{stop}"


def find(name: str) -> tuple[Entry, ...]:
    """Return the entries that a name may mean: a key, alone or with its table, a variable, or a whole table."""
    wanted = re.sub(r"^\[+([\w.]+)\]+\s*", r"\1.", name.strip()).strip(".")
    if exact := tuple(entry for entry in entries() if entry.name == wanted or wanted in entry.variables):
        return exact
    in_table = tuple(entry for entry in entries() if wanted == (entry.table or entry.file))
    return in_table or tuple(entry for entry in entries() if entry.key == wanted)


def keys_of(table: Entry) -> tuple[str, ...]:
    """Return the names of the keys that a table has, each of which has an entry of its own; of any other key none."""
    place = f"{table.table}.{table.key}".strip(".")
    return tuple(entry.name for entry in entries() if entry.table == place and entry.file == table.file)


def nearest(name: str) -> str | None:
    """Return the known name that is nearest to an unknown one."""
    names = {known for entry in entries() for known in (entry.name, entry.key, entry.title, *entry.variables)}
    return next(iter(difflib.get_close_matches(name, names, n=1, cutoff=0.7)), None)


@cache
def entries() -> tuple[Entry, ...]:
    """Return every key: those of the client config, Kanidm's, and ours, in the order of the models."""
    described = toml.loads(_FILE.read_text())
    return tuple(
        entry
        for fields, model in ((of_client(), ClientFile), (of_sender(), SenderFile))
        for entry in _entries(fields, types(model), described)
    )


@cache
def types(model: type[BaseModel]) -> dict[str, Any]:
    """Return the JSON schema of a model, without references, titles and nulls, and without descriptions."""
    schema = model.model_json_schema(by_alias=True)
    return dict(_plain_schema(schema, schema.get("$defs", {})))


def schema_at(schema: Mapping[str, Any], key: tuple[str, ...]) -> dict[str, Any]:
    """Return the part of a schema that is about a key."""
    found = dict(schema)
    for part in key:
        found = (found.get("items") or found)["properties"][part]
    return found


def _entries(fields: tuple[KeyField, ...], schema: dict[str, Any], described: Mapping[str, Any]) -> Iterator[Entry]:
    seen: set[tuple[str, ...]] = set()
    for field in fields:
        table = field.key[:-1]
        if len(table) == _NO_MORE_THAN_TABLES and table not in seen:
            seen.add(table)
            yield _of_table(field, described)
        yield _entry(field, schema_at(schema, field.key), described)
        for one in inside(field):  # in one of several tables, which no variable reaches
            yield replace(_entry(one, schema_at(schema, one.key), described), variables=(), is_of_several=True)


def _entry(field: KeyField, schema: Mapping[str, Any], described: Mapping[str, Any]) -> Entry:
    said = described[f"client.{field.name}" if field.file == "client" else field.name]
    required = field.field.is_required()
    return Entry(
        file=field.file,
        table=".".join(field.key[:-1]),
        key=field.key[-1],
        type=_type(schema),
        is_required=required,
        is_secret=field.is_secret,
        default=said.get("default") or ("required" if required else _default(field.field.default)),
        text=said["text"],
        example=said["example"],
        default_value=schema.get("default"),
        variables=variables(field),
    )


def _of_table(field: KeyField, described: Mapping[str, Any]) -> Entry:
    table = field.key[:-1]
    said = described[".".join(table)]
    return Entry(
        file=field.file,
        table=".".join(table[:-1]),
        key=table[-1],
        type="table",
        is_required=False,
        is_secret=False,
        default=said["default"],
        text=said["text"],
        example=said["example"],
    )


def _default(value: object) -> str:
    if value is None or value in ([], {}):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"{value:g}" if isinstance(value, int | float) else f"`{value}`"


def _type(schema: Mapping[str, Any]) -> str:
    """Return a phrase for a type."""
    if several := schema.get("anyOf"):
        return " or ".join(map(_type, several))
    if choices := schema.get("enum"):
        return f"text: {' or '.join([', '.join(choices[:-1]), choices[-1]])}"
    kind = schema.get("type")
    if kind in {"integer", "number"}:
        return _number(schema, "whole number" if kind == "integer" else "number")
    if kind == "array":
        return "list of tables" if "properties" in schema["items"] else "list of texts"
    words = {"boolean": "true or false", "object": "table of texts"}
    return words.get(str(kind)) or str(schema.get("format", "text"))


def _number(schema: Mapping[str, Any], word: str) -> str:
    low, high = schema.get("minimum"), schema.get("maximum")
    return word if low is None or high is None else f"{word}, {low:g} to {high:.9g}"


def _plain_schema(node: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(node, list):
        return [_plain_schema(item, definitions) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _plain_schema(definitions[node["$ref"].rpartition("/")[2]], definitions)
    alternatives = [one for one in node.get("anyOf", ()) if one != {"type": "null"}]
    if len(alternatives) == 1:
        others = {name: part for name, part in node.items() if name != "anyOf"}
        return _plain_schema({**others, **alternatives[0]}, definitions)
    found = {}
    for name, part in node.items():
        if name == "properties":
            found[name] = {key: _plain_schema(inner, definitions) for key, inner in part.items()}
        elif name == "anyOf":
            found[name] = _plain_schema(alternatives, definitions)
        elif name not in _LEFT_OUT and not (name == "default" and part in (None, [], {})):
            found[name] = _plain_schema(part, definitions)
    return found
