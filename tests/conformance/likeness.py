"""How far an answer is like a captured one: every difference is a sentence, and no sentence means alike.

What is Kanidm's is compared word for word: statuses, error bodies, keys and their order, the names of templates and
states. What is one server's own is compared by its form: ids, times, links, names, addresses, how many other messages
there are. An account may be in more groups and have more attributes than the captured one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import httpx

from tests.conformance.captures import ABSENT, Capture

HEADERS = ("content-type", "www-authenticate", "allow", "cache-control", "strict-transport-security",
           "x-content-type-options")  # fmt: skip
FORMS = {
    "a uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "a time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{0,8}[1-9])?Z"),
    "the id of an intent": re.compile(r"[0-9a-z]{5}(-[0-9a-z]{5}){3}"),
    "a change id": re.compile(r"\d{32}-[0-9a-f-]{36}"),
    "a token": re.compile(r"<a .*token.*>|[\w-]+\.[\w-]+\.[\w-]+"),
    "an address": re.compile(r"[^@\s]+@[^@\s]+"),
}
# Texts under these keys are a server's own.
FREE = {"display_name", "x", "y", "kid"}
MESSAGE = ["schemas", "id", "class", "delete_after", "mail_destination", "message_template", "send_after"]
OLD = 10**9  # in unix seconds; a number above it is a time


def differences(capture: Capture, answer: httpx.Response, known: set[str], version: str | None) -> list[str]:
    """Return what is unlike; `known` are the ids that were listed before anything was queued."""
    found = [] if answer.status_code == capture.status else [f"status {answer.status_code}, not {capture.status}"]
    found += _in_headers(capture, answer, version)
    if capture.json is ABSENT:
        found += [] if answer.text == capture.text else [f"text {answer.text!r}, not {capture.text!r}"]
    elif not _is_json(answer):
        found.append(f"no JSON: {answer.text[:80]!r}")
    elif capture.is_list and _is_listing(answer.json()):
        found += in_list(capture.json, answer.json(), set() if capture.role == "outsider" else known)
    else:
        found += in_value(capture.json, answer.json(), "body", loose=capture.is_account)
    return found


def _is_json(answer: httpx.Response) -> bool:
    try:
        answer.json()
    except ValueError:
        return False
    return True


def _is_listing(body: Any) -> bool:
    resources = body.get("resources") if isinstance(body, dict) else None
    return isinstance(resources, list) and all(isinstance(entry, dict) and "id" in entry for entry in resources)


def _in_headers(capture: Capture, answer: httpx.Response, version: str | None) -> Iterator[str]:
    for name in HEADERS:
        if name in capture.headers and answer.headers.get(name) != capture.headers[name]:
            yield f"{name}: {answer.headers.get(name)}, not {capture.headers[name]}"
    for name in ("content-type", "x-kanidm-version", "x-kanidm-opid", "x-kanidm-auth-session-id"):
        if (name in answer.headers) != (name in capture.headers):
            yield f"{name} is {'there' if name in answer.headers else 'missing'}"
    if answer.headers.get("x-kanidm-version", version) != (version or answer.headers.get("x-kanidm-version")):
        yield f"x-kanidm-version: {answer.headers['x-kanidm-version']}, not {version}"


def in_list(expected: dict[str, Any], actual: dict[str, Any], known: set[str]) -> Iterator[str]:
    """Yield what is unlike in a list, in which other messages than ours may stand, in any order."""
    yield from _in_keys(expected, actual, "list", loose=False)
    for number, entry in enumerate(actual["resources"]):
        yield from in_message(entry, f"resources[{number}]")
    whole = "itemsPerPage" not in expected
    if len(actual["resources"]) != _expected_length(actual, whole=whole):
        yield f"{len(actual['resources'])} resources in { ({**actual, 'resources': '...'}) }"
    elif len(actual["resources"]) == actual["totalResults"]:
        yield from _in_ours(expected["resources"], [one for one in actual["resources"] if one["id"] not in known])


def _expected_length(actual: dict[str, Any], *, whole: bool) -> int | None:
    total, count, start = (actual.get(name) for name in ("totalResults", "itemsPerPage", "startIndex"))
    if whole or not (isinstance(total, int) and isinstance(count, int) and isinstance(start, int)):
        return total if whole else None
    return min(count, max(total - start + 1, 0))


def _in_ours(expected: list[dict[str, Any]], actual: list[dict[str, Any]]) -> Iterator[str]:
    if len(expected) != len(actual):
        yield f"{len(actual)} messages of ours, not {len(expected)}"
    for number, (theirs, ours) in enumerate(zip(by_age(expected), by_age(actual), strict=False)):
        yield from in_value(theirs, ours, f"resources[{number}]")


def by_age(entries: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return messages in the order in which they were queued; a server lists them in any."""
    return sorted(entries, key=lambda entry: _padded(str(entry.get("send_after"))))


def _padded(time: str) -> str:
    whole, _, fraction = time.removesuffix("Z").partition(".")
    return f"{whole}.{fraction:0<9}"


def in_message(entry: Any, place: str) -> Iterator[str]:
    """Yield what is wrong with the shape of a message, whoever queued it."""
    if not isinstance(entry, dict) or list(entry) not in ([*MESSAGE], [*MESSAGE, "sent_at"]):
        yield f"{place} has the keys {list(entry) if isinstance(entry, dict) else entry}"
        return
    yield from in_value([], entry["schemas"], f"{place}.schemas")
    yield from in_value(["object", "outbound_message"], entry["class"], f"{place}.class")
    for name in ("id", "delete_after", "send_after", "sent_at"):
        if name in entry and _form(entry[name]) != ("a uuid" if name == "id" else "a time"):
            yield f"{place}.{name} is {entry[name]!r}"
    if not isinstance(entry["message_template"], dict) or len(entry["message_template"]) != 1:
        yield f"{place}.message_template is not one tagged value"
    for item in entry["mail_destination"]:
        yield from in_value({"primary": True, "value": "somebody@example.com"}, item, f"{place}.mail_destination")


def in_value(expected: Any, actual: Any, place: str, *, loose: bool = False) -> Iterator[str]:
    """Yield what is unlike in two JSON values; `loose` allows more keys, and lists of other lengths."""
    match expected, actual:
        case dict(), dict():
            yield from _in_keys(expected, actual, place, loose=loose)
            for key in expected.keys() & actual.keys():
                if key not in FREE or type(expected[key]) is not type(actual[key]):
                    yield from in_value(expected[key], actual[key], f"{place}.{key}", loose=loose)
        case list(), list():
            yield from _in_items(expected, actual, place, loose=loose)
        case str(), str() if loose:
            return
        case _ if type(expected) is not type(actual) or _form(expected) != _form(actual):
            yield f"{place} is {actual!r}, not like {expected!r}"


def _in_items(expected: list[Any], actual: list[Any], place: str, *, loose: bool) -> Iterator[str]:
    if loose:
        for item in actual if expected else []:
            yield from in_value(expected[0], item, place, loose=True)
        return
    if len(expected) != len(actual):
        yield f"{place} has {len(actual)} items, not {len(expected)}"
    for theirs, ours in zip(expected, actual, strict=False):
        yield from in_value(theirs, ours, place)


def _in_keys(expected: dict[str, Any], actual: dict[str, Any], place: str, *, loose: bool) -> Iterator[str]:
    there = [key for key in actual if key in expected or not loose]
    if there != list(expected):
        yield f"{place} has the keys {list(actual)}, not {list(expected)}"


def _form(value: Any) -> Any:
    if isinstance(value, str):
        return next((name for name, pattern in FORMS.items() if pattern.fullmatch(value)), value)
    return "unix time" if isinstance(value, int) and value > OLD else value
