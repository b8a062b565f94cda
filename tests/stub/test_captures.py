"""The stub gives the answers that a real server gave to the same requests, in the same order."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.stub import Stub

CAPTURES: list[dict[str, Any]] = json.loads((Path(__file__).parents[1] / "wire/captures.json").read_text())
# Nobody can log in to the stub yet: tokens are in tokens.json, /v1/auth and /v1/jwk come with the login.
LOGIN = {
    "login 1: who",
    "login 2: how",
    "login 3: proof",
    "the key of a token",
    "login: unknown user",
    "login 3: wrong password",
}
HEADERS = {
    "content-type",
    "www-authenticate",
    "allow",
    "x-kanidm-version",
    "cache-control",
    "strict-transport-security",
    "x-content-type-options",
}
# What differs from server to server is compared by its form.
FORMS = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?Z"),
    "intent": re.compile(r"[0-9a-z]{5}(-[0-9a-z]{5}){3}"),
    "cid": re.compile(r"\d{32}-[0-9a-f-]{36}"),
    "name": re.compile(r"(Person )?ellie", re.IGNORECASE),
}
# What the capturing script did besides, without noting it down; the answers that follow show it.
SECOND_RESET_BEFORE = "ready: test and reset"
FIRST_RESET_MARKED_BEFORE = "list: some sent"
FIRST_RESET = "8429a88c-942c-4e2b-a54f-899fe727feed"


def form(value: Any) -> Any:
    """Replace ids, times and the like by the name of their form, at any depth."""
    match value:
        case dict():
            return [(key, form(item)) for key, item in value.items()]
        case list():
            return [form(item) for item in value]
        case str():
            return next((name for name, pattern in FORMS.items() if pattern.fullmatch(value)), value)
        case int() if value > 10**9:
            return "unix time"
    return value


@pytest.fixture(scope="module")
def replayed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Give the stub's answer to each captured request, by the capture's name."""
    with Stub(tmp_path_factory.mktemp("captures") / "stub") as running:
        yield dict(replay(running))


def replay(stub: Stub) -> Iterator[tuple[str, Any]]:
    ids: dict[str, str] = {}
    for capture in CAPTURES:
        if capture["name"] in LOGIN:
            continue
        if capture["name"] == SECOND_RESET_BEFORE:
            stub.send_reset("ellie", ttl=10)
        if capture["name"] == FIRST_RESET_MARKED_BEFORE:
            stub.request("POST", f"/scim/v1/Message/{ids[FIRST_RESET]}/_sent")
        answer = ask(stub, capture["request"], ids)
        yield capture["name"], answer
        learn(ids, capture["response"].get("json"), answer)


def ask(stub: Stub, request: dict[str, Any], ids: dict[str, str]) -> Any:
    path = request["path"]
    for theirs, ours in ids.items():
        path = path.replace(theirs, ours)
    role = request["auth"]
    if role in {"none", "garbage", "forged"}:
        return stub.request(request["method"], path, None, headers=oddly_authorized(stub, role), **body(request))
    return stub.request(request["method"], path, role, **body(request))


def body(request: dict[str, Any]) -> dict[str, Any]:
    return {"json": request["json"]} if "json" in request else {}


def oddly_authorized(stub: Stub, role: str) -> dict[str, str]:
    head, payload, signature = stub.tokens["readwrite"].split(".")
    forged = f"{head}.{payload}.{signature[::-1]}"
    return {
        "none": {},
        "garbage": {"authorization": "Bearer garbage"},
        "forged": {"authorization": f"Bearer {forged}"},
    }[role]


def learn(ids: dict[str, str], theirs: Any, answer: Any) -> None:
    if isinstance(theirs, dict) and "resources" in theirs:
        pairs = zip(theirs["resources"], answer.json()["resources"], strict=True)
        ids.update({old["id"]: new["id"] for old, new in pairs})


@pytest.mark.parametrize(
    "capture", [one for one in CAPTURES if one["name"] not in LOGIN], ids=lambda one: one["name"]
)
def test_a_captured_request_gets_the_captured_answer(replayed: dict[str, Any], capture: dict[str, Any]) -> None:
    """Status, the headers that matter and the body, key order included, are those of a real server."""
    answer, expected = replayed[capture["name"]], capture["response"]
    assert answer.status_code == expected["status"]
    wanted = {key: value for key, value in expected["headers"].items() if key in HEADERS}
    assert {key: answer.headers.get(key) for key in wanted} == wanted
    assert ("x-kanidm-version" in answer.headers) == ("x-kanidm-version" in expected["headers"])
    assert ("x-kanidm-opid" in answer.headers) == ("x-kanidm-opid" in expected["headers"])
    if "json" in expected:
        assert form(answer.json()) == form(expected["json"])
    else:
        assert answer.text == expected["text"]


def test_the_captures_that_are_left_out_are_those_of_the_login() -> None:
    """Nothing else can slip out of the comparison."""
    assert {one["name"] for one in CAPTURES} >= LOGIN
    assert all(
        "/v1/auth" in one["request"]["path"] or "/v1/jwk" in one["request"]["path"]
        for one in CAPTURES
        if one["name"] in LOGIN
    )
