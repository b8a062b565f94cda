"""`docs/status.schema.json` is the JSON schema of the status, made from its model."""

import json
import os

from pydantic import TypeAdapter

from mail_sender.observe.status import Status
from tests.repo.checkout import ROOT

SCHEMA = ROOT / "docs" / "status.schema.json"


def test_the_schema_of_the_status_is_current() -> None:
    """Whoever reads `status -o json` relies on it; GOLDEN=write writes it anew."""
    current = json.dumps(TypeAdapter(Status).json_schema(mode="serialization"), indent=2) + "\n"
    if os.environ.get("GOLDEN") == "write":
        SCHEMA.write_text(current)
    assert SCHEMA.read_text() == current
