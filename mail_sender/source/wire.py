"""Kanidm's JSON as messages (docs/kanidm-wire.md, The queue entry).

Entries are read one by one and leniently: unknown keys are ignored, an entry that cannot be read is named and set
aside, an unknown template is a value. One strange entry never hides the others. A message about a strange entry
names the place of the fault, never the value that stood there.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from mail_sender import address
from mail_sender.message import (
    Content,
    CredentialReset,
    Found,
    IntentId,
    Listing,
    Message,
    OddEntry,
    TestMessage,
    UnknownContent,
)

_TAG = re.compile(r"^[A-Z][A-Za-z0-9]{0,63}$")
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class NotAList(ValueError):
    """The answer is not a list of entries."""


def _in_utc(time: datetime) -> datetime:
    try:
        return time.astimezone(UTC)
    except OverflowError:
        raise ValueError("out of the calendar") from None


_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class _Destination(_Wire):
    value: Annotated[str, Field(min_length=1)]


class _Entry(_Wire):
    id: UUID
    send_after: _Time
    delete_after: _Time
    sent_at: _Time | None = None
    mail_destination: Annotated[list[_Destination], Field(min_length=1)]
    message_template: Annotated[dict[str, dict[str, Any]], Field(min_length=1, max_length=1)]


class _TestMessageV1(_Wire):
    display_name: str


class _CredentialResetV1(_Wire):
    display_name: str
    intent_id: Annotated[str, Field(pattern=r"^[!-~]{1,256}$", repr=False)]
    expiry_time: Annotated[int, Field(strict=True, ge=0, le=_LATEST)]  # unix seconds


def entries(answer: object) -> list[object]:
    """Return the entries of a list answer, unread. Raises `NotAList`."""
    found = answer.get("resources") if isinstance(answer, dict) else None
    if not isinstance(found, list):
        raise NotAList
    return found


def ids(answer: object) -> set[str]:
    """Return the ids of a list answer, as they stand there."""
    found = answer.get("resources") if isinstance(answer, dict) else None
    return {_name(entry) for entry in found} if isinstance(found, list) else set()


def total(answer: object) -> int:
    """Return how many entries the server has, whatever the page shows; 0 if it does not say."""
    found = answer.get("totalResults") if isinstance(answer, dict) else None
    return found if isinstance(found, int) else 0


def listing(raw: Iterable[object], now: datetime) -> Listing:
    """Return what of the raw entries is to be sent at `now`, each message once, oldest first."""
    messages: dict[UUID, Message] = {}
    odd: dict[str, OddEntry] = {}
    for entry in raw:
        try:
            read = _Entry.model_validate(entry)
            if read.sent_at is None and read.send_after < now:
                messages[read.id] = _message(read)
        except ValidationError as error:
            name = _name(entry)
            odd[name] = OddEntry(_shown(name), _place(error))
    ordered = sorted(messages.values(), key=lambda message: (message.send_after, message.id))
    return Listing(tuple(ordered), tuple(odd.values()))


def found(answer: object) -> Found:
    """Return the message that an answer holds. Raises `NotAList` if it holds none that can be read."""
    try:
        entry = _Entry.model_validate(answer)
        return Found(_message(entry), entry.sent_at)
    except ValidationError as error:
        raise NotAList(_place(error)) from None


def _message(entry: _Entry) -> Message:
    return Message(
        id=entry.id,
        send_after=entry.send_after,
        delete_after=entry.delete_after,
        recipients=_each_once([destination.value for destination in entry.mail_destination]),
        content=_content(*next(iter(entry.message_template.items()))),
    )


def _each_once(recipients: list[str]) -> tuple[str, ...]:
    """Return the recipients without those that are another one in another spelling."""
    if len(recipients) == 1:
        return (recipients[0],)
    found: dict[str, str] = {}
    for recipient in recipients:
        found.setdefault(_mailbox(recipient), recipient)
    return tuple(found.values())


def _mailbox(recipient: str) -> str:
    try:
        return address.parse(recipient)
    except address.BadAddress:
        return recipient


def _content(tag: str, fields: dict[str, Any]) -> Content:
    match tag:
        case "TestMessageV1":
            return TestMessage(_TestMessageV1.model_validate(fields).display_name)
        case "CredentialResetV1":
            reset = _CredentialResetV1.model_validate(fields)
            expires_at = datetime.fromtimestamp(reset.expiry_time, UTC)
            return CredentialReset(reset.display_name, IntentId(reset.intent_id), expires_at)
        case _ if _TAG.match(tag):
            return UnknownContent(re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", tag).lower(), fields)
        case _:
            return UnknownContent("a_name_that_is_none")


def _name(entry: object) -> str:
    found = entry.get("id") if isinstance(entry, dict) else None
    return found[:64] if isinstance(found, str) and found.isprintable() else "(without an id)"


def _shown(name: str) -> str:
    """Return an id as it may be logged: what is none may be anything."""
    try:
        return str(UUID(name))
    except ValueError:
        return "(without an id)"


def _place(error: ValidationError) -> str:
    """Say which fields are wrong and how, without their values."""
    faults = error.errors(include_url=False, include_input=False, include_context=False)
    places = (f"{_known(fault['loc'])} ({fault['type']})" for fault in faults[:3])
    return f"cannot be read: {', '.join(places)}"


def _known(location: tuple[int | str, ...]) -> str:
    """Return the part of a location that is ours: keys that an entry brought along may be secrets, too."""
    return ".".join(str(part) for part in location if isinstance(part, int) or part in _FIELDS) or "entry"


_FIELDS = frozenset(name for model in (_Entry, _TestMessageV1, _CredentialResetV1) for name in model.model_fields)
