"""The JSON schema of the mail-sender config, for editors: taplo, Even Better TOML, VS Code.

Its types and limits are those of the model, its texts those of `reference`. What no schema can say, such as whether a
relay's URL is one, `mail-sender config check` says.
"""

import copy
from datetime import date
from typing import Any

from mail_sender import toml
from mail_sender.config import reference
from mail_sender.config.keys import SenderFile
from mail_sender.config.reference import Entry

DIALECT = "http://json-schema.org/draft-07/schema#"


def document() -> dict[str, Any]:
    """Return the schema. A secret is not required: it may come from a file or a variable."""
    found = copy.deepcopy(reference.types(SenderFile))
    entries = [entry for entry in reference.entries() if entry.file == "sender"]
    for entry in entries:
        node = reference.schema_at(found, (*filter(None, entry.table.split(".")), entry.key))
        node["description"] = _description(entry)
        node["examples"] = [_json(toml.loads(f"value = {entry.example}")["value"])]
    secrets = {entry.name for entry in entries if entry.is_secret}
    found["required"] = [key for key in found["required"] if key not in secrets]
    texts = {"title": "The mail-sender config", "description": "Kanidm's keys, and our own tables beside them."}
    return {"$schema": DIALECT, **texts, **found}


def _description(entry: Entry) -> str:
    default = "Required" if entry.is_required else f"Default: {reference.plain(entry.default)}"
    return f"{reference.sentence(entry.plain_text)} {default}."


def _json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value
