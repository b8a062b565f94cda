"""Samples: one message of each kind, with which templates are checked and previewed.

The content of a sample is made up, or comes from a file of data, which is a JSON object with fields of the kind:

    test_message_v1         display_name
    credential_reset_v1     display_name, intent_id (the link's secret part), minutes (how long the link works)
    any other kind          anything; its templates find it under `fields`
"""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage, UnknownContent
from mail_sender.templating.kinds import KINDS

NAME = "Ellie Example"
INTENT = IntentId("spec1-mens0-nlyxx-00000")
LIVES = timedelta(minutes=55)
"""How long a sample's link works."""
RECIPIENT = "ellie@example.com"
_LONGEST = 366 * 24 * 60  # minutes
_FIELDS = {TestMessage.kind: ("display_name",), CredentialReset.kind: ("display_name", "intent_id", "minutes")}


class BadData(Exception):
    """The data do not match the kind; the text says why."""


def message(kind: str, now: datetime, data: Mapping[str, Any] | None = None) -> Message:
    """Return a message of a kind; the fields in `data` replace the made-up ones. Raises `BadData`."""
    content = _content(kind, now, dict(data or {}))
    return Message(UUID(int=0x5EC1), now, now + timedelta(days=7), (RECIPIENT,), content)


def data(text: str) -> dict[str, Any]:
    """Return the fields in a file of data. Raises `BadData`."""
    try:
        found = json.loads(text)
        json.dumps(found, ensure_ascii=False).encode()
    except json.JSONDecodeError as error:
        raise BadData(f"line {error.lineno} is not JSON: {error.msg}") from None
    except UnicodeEncodeError:
        raise BadData("contains half a character (a surrogate without its pair)") from None
    except (ValueError, RecursionError):
        raise BadData("has a number that is too long, or is nested too deep") from None
    if not isinstance(found, dict):
        raise BadData('expected an object, such as {"display_name": "Ellie"}')
    return found


def _content(kind: str, now: datetime, fields: dict[str, Any]) -> Content:
    if kind not in KINDS:
        return UnknownContent(kind, fields)
    if unknown := sorted(fields.keys() - _FIELDS[kind]):
        raise BadData(f"{kind} has no field {', '.join(unknown)}; it has {', '.join(_FIELDS[kind])}")
    name = _text(fields, "display_name", NAME)
    if kind == TestMessage.kind:
        return TestMessage(name)
    left = timedelta(minutes=_minutes(fields, "minutes", LIVES // timedelta(minutes=1)))
    return CredentialReset(name, IntentId(_text(fields, "intent_id", INTENT)), now + left)


def _text(fields: dict[str, Any], name: str, made_up: str) -> str:
    value = fields.get(name, made_up)
    if not isinstance(value, str):
        raise BadData(f"{name} must be a text")
    return value


def _minutes(fields: dict[str, Any], name: str, made_up: int) -> int:
    value = fields.get(name, made_up)
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _LONGEST:
        raise BadData(f"{name} must be a whole number between 0 and {_LONGEST}")
    return value
