"""Specimens: one message of each kind, with which templates are checked and shown before anybody waits for one."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID

from mail_sender.kinds import KINDS
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage, UnknownContent

T = TypeVar("T")

NAME = "Ellie Example"
INTENT = IntentId("spec1-mens0-nlyxx-00000")
LIVES = timedelta(minutes=55)
"""How long a specimen's link works."""
RECIPIENT = "ellie@example.com"


class BadData(Exception):
    """The data of a specimen do not fit its kind; the text says how."""


def message(kind: str, now: datetime, data: Mapping[str, Any] | None = None) -> Message:
    """Return a message of a kind; `data` are fields of its own, in place of the made-up ones.

    Raises `BadData`.
    """
    content = _content(kind, now, dict(data or {}))
    return Message(UUID(int=0x5EC1), now, now + timedelta(days=7), (RECIPIENT,), content)


def _content(kind: str, now: datetime, data: dict[str, Any]) -> Content:
    if kind not in KINDS:
        return UnknownContent(kind, data)
    name = _take(data, "display_name", NAME, str)
    if kind == TestMessage.kind:
        made: Content = TestMessage(name)
    else:
        intent = IntentId(_take(data, "intent_id", INTENT, str))
        left = timedelta(minutes=_take(data, "minutes", int(LIVES.total_seconds() // 60), int))
        made = CredentialReset(name, intent, now + left)
    if data:
        raise BadData(f"{kind} has no {', '.join(sorted(data))}")
    return made


def _take(data: dict[str, Any], name: str, default: T, expected: type[T]) -> T:
    value = data.pop(name, default)
    if not isinstance(value, expected):
        raise BadData(f"{name} must be {'a text' if expected is str else 'a whole number'}")
    return value
