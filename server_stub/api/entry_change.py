"""PUT and POST /scim/v1/Entry set or remove times of a message (docs/kanidm-wire.md, Changing an entry).

The checks have Kanidm's order: every value can be read, the entry is visible to this caller, the caller may change
it, and the changed entry fits the schema.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from server_stub import timestamps
from server_stub.api.access import Caller
from server_stub.api.json_body import read_object, wrong_type
from server_stub.errors import OperationError, access_denied
from server_stub.identity.naming import UUID, usual
from server_stub.queue.entry import CLASSES
from server_stub.queue.filter_sql import KNOWN

TIMES = {"send_after", "sent_at", "delete_after"}
MANDATORY = ("delete_after", "message_template", "send_after")
# A PUT answers with the entry, so its body may say how; all but the last are read and not used.
QUERY = ("attributes", "sortBy", "sortOrder", "startIndex", "count", "filter", "extAccessCheck")


@dataclass(frozen=True)
class EntryChange:
    """The body of a PUT: the entry's id, and what each attribute is to be, None to take it away."""

    id: str
    attributes: Mapping[str, object]
    access_check: bool

    def resolved(self) -> dict[str, object]:
        """Return the values as the queue holds them: times in nanoseconds. Raises OperationError."""
        return {name: _resolved(name, value) for name, value in sorted(self.attributes.items())}


def permitted(wanted: Mapping[str, object], caller: Caller) -> dict[str, int | None]:
    """Return the times to set on a message that the caller sees. Raises OperationError."""
    if not caller.may_write or not wanted.keys() <= caller.changeable:
        raise access_denied()
    if not wanted:
        raise OperationError(400, "emptyrequest")
    times = {name: value if isinstance(value, int) else None for name, value in wanted.items()}
    missing = [name for name in MANDATORY if times.get(name, 0) is None]
    if missing:
        raise _missing(missing)
    return times


async def read_change(request: Request) -> EntryChange:
    """Return what a PUT asks for. Raises RejectedRequest."""
    body = await read_object(request)
    identifier = body.pop("id", None)
    if not isinstance(identifier, str) or not UUID.fullmatch(identifier.lower()):
        raise wrong_type("id: UUID parsing failed" if identifier is not None else "missing field `id`")
    asked = {name: body.pop(name, None) for name in QUERY}
    return EntryChange(usual(identifier), body, asked["extAccessCheck"] is True)


def refuse_creation(attributes: Mapping[str, object], caller: Caller) -> OperationError:
    """Return why no entry can be made out of `attributes`: what a message says cannot be given by any API."""
    for name, value in sorted(attributes.items()):
        # Here null is a value like any other, and no template can be read out of it.
        _resolved(name, value if value is not None or name != "message_template" else "")
    classes = attributes.get("class")
    if not (caller.administers_messages and caller.may_write) or not _is_message(classes):
        return access_denied()
    return _missing([name for name in MANDATORY if name not in attributes])


def _is_message(classes: object) -> bool:
    return isinstance(classes, list) and CLASSES[-1] in classes


def _missing(names: list[str]) -> OperationError:
    return OperationError(400, {"schemaviolation": {"missingmustattribute": names}})


def _resolved(name: str, value: object) -> object:
    if name not in KNOWN:
        raise OperationError(400, {"invalidattributename": name})
    if value is None:
        return None
    if name == "message_template":
        raise OperationError(400, {"invalidattribute": "Message values are not able to be set."})
    if name in TIMES:
        return _time(value)
    if name == "mail_destination" and not _is_mail(value):
        raise OperationError(500, "sc0003mailsyntaxinvalid")
    return value


def _time(value: object) -> int:
    time_ns = timestamps.read(value)
    if time_ns is None:
        raise OperationError(500, "sc0010datetimesyntaxinvalid")
    return time_ns


def _is_mail(value: object) -> bool:
    items = value if isinstance(value, list) else [None]
    return all(isinstance(item, dict) and isinstance(item.get("value"), str) for item in items)
