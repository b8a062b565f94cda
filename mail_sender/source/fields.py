"""The fields of Kanidm's JSON: a check for each kind of value, and one for an object of them.

A check returns the value as messages have it, or raises `Odd` with the kind of the fault, never the value. It is done
by hand since it is so little: pydantic would take 10 MB of a sender that has nothing to do.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

Check = Callable[[Any], Any]

MOST_FAULTS = 3
"""Faults of one object that are told."""


class Odd(ValueError):
    """A value is not what it should be; the text is the kind of the fault, such as `missing`."""


class OddFields(Odd):
    """Fields of an object are not what they should be; the text names up to `MOST_FAULTS`, each with its kind."""


def checked(found: object, checks: Mapping[str, Check]) -> dict[str, Any]:
    """Return the named fields of an object; other keys are ignored. Raises `OddFields`, and `Odd` if it is none.

    A field that is missing is None for its check, which `optional` allows.
    """
    if not isinstance(found, dict):
        raise Odd("object_type")
    values, faults = {}, []
    for name, check in checks.items():
        try:
            values[name] = check(found.get(name))
        except Odd as fault:
            faults.append(f"{name} ({fault if name in found else 'missing'})")
    if faults:
        raise OddFields(", ".join(faults[:MOST_FAULTS]))
    return values


def optional(check: Check) -> Check:
    """Return the check of a field that may be missing, or null."""
    return lambda value: None if value is None else check(value)


def text(value: object) -> str:
    """Check a text: one that can be encoded, as half of a surrogate pair cannot."""
    if not isinstance(value, str):
        raise Odd("string_type")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise Odd("string_unicode") from None
    return value


def filled_text(value: object) -> str:
    """Check a text that is not empty."""
    if found := text(value):
        return found
    raise Odd("string_too_short")


def integer(least: int, most: float) -> Check:
    """Return the check of an integer within bounds."""

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise Odd("int_type")
        if value < least:
            raise Odd("greater_than_equal")
        if value > most:
            raise Odd("less_than_equal")
        return value

    return check


def flag(value: object) -> bool:
    """Check a truth value."""
    if not isinstance(value, bool):
        raise Odd("bool_type")
    return value


def mapping(check: Check) -> Check:
    """Return the check of an object whose values are all of one kind."""

    def each(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise Odd("object_type")
        return {text(name): check(one) for name, one in value.items()}

    return each


def uuid(value: object) -> UUID:
    """Check an id (RFC 9562, section 4)."""
    if not isinstance(value, str):
        raise Odd("uuid_type")
    try:
        return UUID(value)
    except ValueError:
        raise Odd("uuid_parsing") from None


def time(value: object) -> datetime:
    """Check a time with an offset (RFC 3339, section 5.6); it is returned in UTC, cut to microseconds."""
    if not isinstance(value, str):
        raise Odd("datetime_type")
    try:
        found = datetime.fromisoformat(value.upper())  # RFC 3339 lets t and z be small
        if found.tzinfo is None:
            raise Odd("timezone_aware")
        return found.astimezone(UTC)
    except OverflowError:
        raise Odd("out_of_the_calendar") from None
    except Odd:
        raise
    except ValueError:
        raise Odd("datetime_parsing") from None


def items(value: object) -> list[Any]:
    """Check a list that is not empty."""
    if not isinstance(value, list):
        raise Odd("list_type")
    if not value:
        raise Odd("too_short")
    return value


def tagged(value: object) -> tuple[str, dict[str, Any]]:
    """Check an object with one key, a tag, whose value is an object; both are returned."""
    if not isinstance(value, dict):
        raise Odd("object_type")
    if len(value) != 1:
        raise Odd("too_long" if value else "too_short")
    ((tag, fields),) = value.items()
    if not isinstance(fields, dict):
        raise Odd("object_type")
    for name in (tag, *fields):
        text(name)
    return tag, fields
