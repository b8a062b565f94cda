"""Plain values as JSON has them. It is apart from the status, which a health check need not import."""

from dataclasses import fields, is_dataclass
from datetime import UTC, datetime
from typing import Any


def ready_for_json(part: object) -> Any:
    """Return a dataclass, or what is in one, as objects, lists, texts and numbers; times are RFC 3339, in UTC."""
    if isinstance(part, datetime):
        return part.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(part, dict):
        return {name: ready_for_json(value) for name, value in part.items()}
    if isinstance(part, list):
        return [ready_for_json(value) for value in part]
    if is_dataclass(part):
        return {one.name: ready_for_json(getattr(part, one.name)) for one in fields(part)}
    return part
