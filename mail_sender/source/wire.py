"""Kanidm's JSON as messages (docs/kanidm-wire.md, The queue entry).

Entries are read one by one and leniently: unknown keys are ignored, an entry that cannot be read is named and set
aside, an unknown template is a value. One strange entry never hides the others, nor one strange recipient the others
of its message. A message about a strange entry names the place of the fault, never the value that stood there.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from mail_sender.message import (
    Content,
    CredentialReset,
    Found,
    IntentId,
    Listing,
    Message,
    MessageIds,
    OddEntry,
    TestMessage,
    UnknownContent,
)
from mail_sender.names import address
from mail_sender.source import fields
from mail_sender.source.base import NOTHING, Known
from mail_sender.source.decoding import UNREADABLE

_TAG = re.compile(r"^[A-Z][A-Za-z0-9]{0,63}$")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()

MOST_ODD = 1_000
"""Odd entries of a list that are kept; any more are counted."""
MOST_MESSAGES = 100_000
"""Messages of a list that are taken; any more wait for a later poll. Kanidm lists 16,383 in one answer."""
PART = 500
"""Messages that are handed over together, at least."""


class Unread(ValueError):
    """An entry cannot be read; the text says where the fault is."""


@dataclass(frozen=True, slots=True)
class _Entry:
    id: UUID
    send_after: datetime
    delete_after: datetime
    sent_at: datetime | None
    mail_destination: list[Any]
    message_template: tuple[str, dict[str, Any]]


_ENTRY: dict[str, fields.Check] = {
    "id": fields.uuid,
    "send_after": fields.time,
    "delete_after": fields.time,
    "sent_at": fields.optional(fields.time),
    "mail_destination": fields.items,
    "message_template": fields.tagged,
}
_TEST_MESSAGE_V1: dict[str, fields.Check] = {"display_name": fields.text}


def _intent_id(value: object) -> str:
    if not re.fullmatch(r"[!-~]{1,256}", fields.text(value)):
        raise fields.Odd("string_pattern_mismatch")
    return str(value)


_CREDENTIAL_RESET_V1: dict[str, fields.Check] = {
    "display_name": fields.text,
    "intent_id": _intent_id,
    "expiry_time": fields.integer(0, _LATEST),  # unix seconds
}


class Reading:
    """A list as it is read, part by part. `now` is given where the server has not left out what is held back.

    `new` is how many of its entries were not there before: another page may have had them. What is `known` is not
    returned: an entry with the very text of one that was taken, and about which nothing was to be said.
    """

    def __init__(self, now: datetime | None = None, known: Known = NOTHING) -> None:
        self.new = 0
        self._now = None if now is None else _octets(now)
        self._known = known
        self._messages: list[Message] = []
        self._ids = MessageIds()
        self._odd: dict[str, OddEntry] = {}
        self._more_odd = 0
        self._newest = b""

    @property
    def is_full(self) -> bool:
        """Whether there is a part to be handed over."""
        return len(self._messages) >= PART

    def is_known(self, text: str) -> bool:
        """Take an entry in by its text, if it is known by that; say whether it is."""
        if len(self._ids) >= MOST_MESSAGES or (found := _ID(text)) is None:
            return False
        id_ = bytes.fromhex(found[1].replace("-", ""))
        beside = self._known.ids.beside(id_)
        if beside is None or beside[8:] != _digest(text):
            return False
        send_after = beside[:8]
        if send_after + id_ <= self._known.wanted or (self._now is not None and send_after >= self._now):
            return False
        if self._now is None and send_after > self._newest:
            self._newest = send_after
        self.new += self._ids.add(id_, beside)
        return True

    def take(self, entry: object, text: str = "") -> None:
        """Take in an entry, and the text that it has in the list."""
        self.new += self._take(entry, text)

    def listing(self) -> Listing:
        """Return what is to be sent and was not returned before, oldest first; and what is odd so far."""
        ordered = sorted(self._messages, key=lambda message: (message.send_after, message.id))
        self._messages = []
        odd, newest = tuple(self._odd.values()), _time(self._newest) if self._newest else None
        return Listing(tuple(ordered), odd, more_odd=self._more_odd, newest=newest, ids=self._ids)

    def _take(self, entry: object, text: str) -> bool:
        name = _name(entry)
        if (name in self._odd or len(self._odd) >= MOST_ODD) and not _is_complete(entry):
            self._more_odd += name not in self._odd or name == _NAMELESS
            return False
        try:
            read = _entry(entry)
            message, strange = _message(read)
        except Unread as fault:
            return self._set_aside(name, f"cannot be read: {fault}")
        if strange:
            self._set_aside(name, f"{strange}: no mail can go to this recipient", partly=True)
        send_after = _octets(read.send_after)
        if read.sent_at is not None or (self._now is not None and send_after >= self._now):
            return True
        if self._now is None:
            self._newest = max(self._newest, send_after)
        if len(self._ids) >= MOST_MESSAGES:
            return read.id not in self._ids
        is_knowable = not strange and (found := _ID(text)) is not None and found[1] == str(read.id)
        if is_new := self._ids.add(read.id.bytes, send_after + (_digest(text) if is_knowable else _UNKNOWN)):
            self._messages.append(message)
        return is_new

    def _set_aside(self, name: str, problem: str, *, partly: bool = False) -> bool:
        is_new = name not in self._odd
        if is_new and len(self._odd) < MOST_ODD:
            self._odd[name] = OddEntry(_shown(name), problem, partly)
        else:
            self._more_odd += is_new or name == _NAMELESS
        return is_new


def found(answer: object, id_: UUID) -> Found:
    """Return the message of that id, which an answer holds. Raises `Unread` if it holds none that can be read."""
    entry = _entry(answer)
    if entry.id != id_:
        raise Unread("id (another message's)")
    return Found(_message(entry)[0], entry.sent_at)


def _entry(raw: object) -> _Entry:
    if raw is UNREADABLE:
        raise Unread("entry (too large or too deep)")
    try:
        return _Entry(**fields.checked(raw, _ENTRY))
    except fields.Odd as fault:
        raise Unread(_place(fault)) from None


def _message(entry: _Entry) -> tuple[Message, str]:
    """Return the message to those recipients that can be read, and the places of those that cannot."""
    recipients, strange = _recipients(entry.mail_destination)
    if not recipients:
        raise Unread(strange)
    try:
        content = _content(*entry.message_template)
    except fields.Odd as fault:
        raise Unread(_place(fault)) from None
    return Message(entry.id, entry.send_after, entry.delete_after, recipients, content), strange


def _recipients(destinations: list[Any]) -> tuple[tuple[str, ...], str]:
    good: list[str] = []
    strange: list[str] = []
    for index, destination in enumerate(destinations):
        try:
            good.append(_recipient(destination))
        except fields.Odd as fault:
            strange.append(f"mail_destination.{index} ({fault})")
    return _each_once(good), ", ".join(strange[: fields.MOST_FAULTS])


def _recipient(destination: object) -> str:
    if not isinstance(destination, dict):
        raise fields.Odd("object_type")
    if "value" not in destination:
        raise fields.Odd("missing")
    return fields.filled_text(destination["value"])


def _each_once(recipients: list[str]) -> tuple[str, ...]:
    """Return the recipients without those that are another one in another spelling."""
    if len(recipients) <= 1:
        return tuple(recipients)
    found: dict[str, str] = {}
    for recipient in recipients:
        found.setdefault(_mailbox(recipient), recipient)
    return tuple(found.values())


def _mailbox(recipient: str) -> str:
    try:
        return address.parse(recipient)
    except address.BadAddress:
        return recipient


def _content(tag: str, found: dict[str, Any]) -> Content:
    match tag:
        case "TestMessageV1":
            return TestMessage(fields.checked(found, _TEST_MESSAGE_V1)["display_name"])
        case "CredentialResetV1":
            reset = fields.checked(found, _CREDENTIAL_RESET_V1)
            expires_at = datetime.fromtimestamp(reset["expiry_time"], UTC)
            return CredentialReset(reset["display_name"], IntentId(reset["intent_id"]), expires_at)
        case _ if _TAG.match(tag):
            return UnknownContent(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tag).lower(), found)
        case _:
            return UnknownContent("a_name_that_is_none")


def _name(entry: object) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found[:64] if isinstance(found, str) and found.isprintable() else _NAMELESS


def _is_complete(entry: object) -> bool:
    return isinstance(entry, dict) and entry.keys() >= _REQUIRED


def _shown(name: str) -> str:
    """Return an id as it may be logged: what is none may be anything."""
    try:
        return str(UUID(name))
    except ValueError:
        return _NAMELESS


def _place(fault: fields.Odd) -> str:
    """Say which fields are wrong and how, without their values."""
    return str(fault) if isinstance(fault, fields.OddFields) else f"entry ({fault})"


def _octets(time: datetime) -> bytes:
    """Return a time so that it compares as what it is."""
    return ((time - _FIRST) // _MICROSECOND).to_bytes(8, "big")


def _time(octets: bytes) -> datetime:
    return _FIRST + int.from_bytes(octets, "big") * _MICROSECOND


def _digest(text: str) -> bytes:
    """Return 8 octets that another text does not have: Python's own hash has a secret key in each process."""
    return hash(text).to_bytes(8, "big", signed=True)


_ID = re.compile(r'"id":\s*"([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})"').search
_MICROSECOND = timedelta(microseconds=1)
_FIRST = datetime.min.replace(tzinfo=UTC)
_UNKNOWN = bytes(8)
_NAMELESS = "(without an id)"
_REQUIRED = _ENTRY.keys() - {"sent_at"}
