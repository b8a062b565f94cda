"""Each field of the server's JSON is checked, and what is said of a fault names its kind alone."""

from datetime import UTC, datetime
from uuid import UUID

import pytest

from mail_sender.source import fields

TIME = datetime(2026, 11, 20, 23, 15, 11, tzinfo=UTC)


@pytest.mark.parametrize(
    ("check", "value", "expected"),
    [
        (fields.text, "", ""), (fields.text, "Zoë", "Zoë"), (fields.filled_text, "x", "x"),
        (fields.integer(0, 5), 5, 5), (fields.items, [None], [None]), (fields.optional(fields.time), None, None),
        (fields.uuid, "8429A88C-942c-4e2b-a54f-899fe727feed", UUID("8429a88c-942c-4e2b-a54f-899fe727feed")),
        (fields.time, "2026-11-20T23:15:11Z", TIME), (fields.time, "2026-11-20t23:15:11z", TIME),
        (fields.time, "2026-11-20 23:15:11+00:00", TIME), (fields.tagged, {"A": {"b": 1}}, ("A", {"b": 1})),
    ],
)  # fmt: skip
def test_a_good_value_is_returned(check: fields.Check, value: object, expected: object) -> None:
    """As messages have it: a time in UTC, a tag beside what it is about."""
    assert check(value) == expected


@pytest.mark.parametrize(
    ("check", "value", "kind"),
    [
        (fields.text, 5, "string_type"), (fields.text, "\ud800", "string_unicode"),
        (fields.filled_text, "", "string_too_short"), (fields.integer(0, 5), True, "int_type"),
        (fields.integer(0, 5), 1.0, "int_type"), (fields.integer(0, 5), 6, "less_than_equal"),
        (fields.integer(0, 5), -1, "greater_than_equal"), (fields.uuid, 5, "uuid_type"),
        (fields.uuid, "x", "uuid_parsing"), (fields.time, 1_795_220_111, "datetime_type"),
        (fields.time, "yesterday", "datetime_parsing"), (fields.time, "2026-11-20", "timezone_aware"),
        (fields.time, "0001-01-01T00:00:00+05:00", "out_of_the_calendar"), (fields.items, {}, "list_type"),
        (fields.items, [], "too_short"), (fields.tagged, [], "object_type"), (fields.tagged, {}, "too_short"),
        (fields.tagged, {"A": {}, "B": {}}, "too_long"), (fields.tagged, {"A": 1}, "object_type"),
        (fields.tagged, {"A": {"\ud800": 1}}, "string_unicode"),
    ],
)  # fmt: skip
def test_a_fault_is_named_by_its_kind(check: fields.Check, value: object, kind: str) -> None:
    """The value itself may be a secret."""
    with pytest.raises(fields.Odd, match=f"^{kind}$"):
        check(value)


def test_three_faults_of_an_object_are_told_each_with_its_field() -> None:
    """A field that is missing is one, too; unknown keys are ignored."""
    checks: dict[str, fields.Check] = dict.fromkeys("abcd", fields.text)
    assert fields.checked({**dict.fromkeys("abcd", "x"), "more": 1}, checks) == dict.fromkeys("abcd", "x")
    with pytest.raises(fields.OddFields, match=r"^a \(missing\), b \(string_type\), c \(string_type\)$"):
        fields.checked({"b": None, "c": 5, "d": 5}, checks)
    with pytest.raises(fields.Odd, match=r"^object_type$"):
        fields.checked([], checks)
