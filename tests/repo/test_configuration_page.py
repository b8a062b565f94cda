"""The tables of keys in the configuration page, and the JSON schema, are made from the model and its descriptions.

GOLDEN=write writes both anew.
"""

import json
import os
import re
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import tomli

from mail_sender.config import reference, schema
from mail_sender.config.keys import SenderFile
from mail_sender.config.reference import Entry
from tests.repo.checkout import ROOT

PAGE = ROOT / "docs/configuration.md"
SCHEMA = ROOT / "docs/mail-sender.schema.json"
IS_WRITING = os.environ.get("GOLDEN") == "write"

TABLES: dict[str, Callable[[Entry], bool]] = {
    "client config": lambda entry: entry.file == "client",
    "Kanidm's": lambda entry: entry.file == "sender" and not entry.table and not is_table(entry),
    "ours": lambda entry: entry.file == "sender" and (bool(entry.table) or is_table(entry)),
}
"""The tables, and which keys each has."""
ON_A_LINE = {"relay.warm_up"}
"""Tables inside a table whose keys are described in one sentence."""


def is_table(entry: Entry) -> bool:
    """Say whether a key is a table at the top level."""
    return not entry.table and "table" in entry.type


def cell(entry: Entry) -> str:
    """Return the first cell of a key's row."""
    if is_table(entry):
        return f"`[{entry.key}]`"
    return f"`{entry.title}`"


def rows(which: Callable[[Entry], bool]) -> list[str]:
    """Return the rows of a table; one that is written on a line has one row for all its keys, others one for each."""
    inner = {entry.name for entry in reference.entries() if entry.type == "table"}
    shown = [
        entry
        for entry in reference.entries()
        if which(entry) and entry.table not in ON_A_LINE and entry.name not in inner - ON_A_LINE
    ]
    cells = ((cell(entry), entry.text, entry.default) for entry in shown)
    return ["| key | value | default |", "|---|---|---|", *(f"| {' | '.join(row)} |" for row in cells)]


@pytest.mark.parametrize("name", TABLES)
def test_a_table_of_the_page_has_every_key_and_what_the_model_says_of_it(name: str) -> None:
    """Whoever looks a key up reads what `mail-sender config explain` says."""
    page = PAGE.read_text()
    begin, end = f"<!-- keys: {name} -->\n", "<!-- end of keys -->"
    before, _, rest = page.partition(begin)
    found, _, after = rest.partition(end)
    wanted = "\n".join([*rows(TABLES[name]), ""])
    if IS_WRITING:
        PAGE.write_text(f"{before}{begin}{wanted}{end}{after}")
        found = wanted
    assert found == wanted


def test_every_key_is_described_once_and_every_description_is_a_keys() -> None:
    """A key without words could not be explained; one that is gone would confuse."""
    described = tomli.loads(Path(reference.__file__).with_name("descriptions.toml").read_text())
    assert [entry.name for entry in reference.entries()] == list(described)


def test_the_schema_is_current() -> None:
    """Editors take it from the documents."""
    current = json.dumps(schema.document(), indent=2, ensure_ascii=False) + "\n"
    if IS_WRITING:
        SCHEMA.write_text(current)
    assert SCHEMA.read_text() == current


def as_json(value: Any) -> Any:
    """Return a file's values as an editor sees them."""
    if isinstance(value, dict):
        return {key: as_json(one) for key, one in value.items()}
    return value.isoformat() if isinstance(value, date) else value


def complaints(values: dict[str, Any]) -> list[str]:
    """Return what the schema says of a file, by the path of the key."""
    found = jsonschema.Draft7Validator(json.loads(SCHEMA.read_text()))
    return [f"{'.'.join(map(str, error.path))}: {error.validator}" for error in found.iter_errors(as_json(values))]


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/mail-sender*.toml")), ids=lambda path: path.name)
def test_an_example_is_valid_by_the_schema(path: Path) -> None:
    """An editor that marks a good key would teach people to look away."""
    jsonschema.Draft7Validator.check_schema(json.loads(SCHEMA.read_text()))
    assert complaints(tomli.loads(path.read_text())) == []


def test_the_schema_finds_what_is_wrong() -> None:
    """A misspelt key of ours, a wrong type, a number out of range, a word that is none of the choices."""
    full = tomli.loads((ROOT / "examples/mail-sender-full.toml").read_text())
    wrong = {
        **{key: value for key, value in full.items() if key not in {"token", "instance_url"}},
        "relay": {"capath": "x", "kind": "smpt", "per_minute": 0, "warm_up": {"start": 1, "factor": 2}},
        "templates": {"html": "yes"},
        "some_new_feature_of_kanidm": 1,
    }
    assert sorted(complaints(wrong)) == sorted([
        ": required", "relay: additionalProperties", "relay.kind: enum", "relay.per_minute: minimum",
        "relay.warm_up: required", "templates.html: type",
    ])  # fmt: skip


def test_the_example_of_each_key_fits_its_type() -> None:
    """What `explain` shows can be copied into the file."""
    types = reference.types(SenderFile)
    for entry in reference.entries():
        if entry.file == "sender":
            part = reference.schema_at(types, (*filter(None, entry.table.split(".")), entry.key))
            jsonschema.validate(as_json(tomli.loads(f"value = {entry.example}")["value"]), part)
        assert not re.search(r"[.;]$", entry.text), entry.name
