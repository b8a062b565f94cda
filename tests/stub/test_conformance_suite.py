"""The conformance suite itself: it runs against any server by its address, and what is unlike it reports."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.conformance.captures import ABSENT, Capture, load
from tests.conformance.likeness import differences
from tests.support.stub import Stub

ROOT = Path(__file__).parents[2]
CAPTURES = {one.name: one for one in load()}


def suite(stub: Stub, *flags: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the suite as anybody would, by its address."""
    own = ("-p", "no:xdist", "-o", f"cache_dir={stub.dir.with_name('pytest')}")
    command = [sys.executable, "-m", "pytest", "-q", *own, *flags]
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("CONFORMANCE_", "PYTEST_"))}
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=clean | env, timeout=100, check=False
    )


def tokens(stub: Stub, **changes: str | None) -> Path:
    """Write a tokens file that differs from the stub's; None takes a token away."""
    file = stub.dir.with_name("tokens.json")
    file.write_text(json.dumps({name: value for name, value in (stub.tokens | changes).items() if value}))
    return file


def named(stub: Stub, file: Path) -> tuple[str, ...]:
    return ("tests/conformance", "--url", stub.url, "--ca", str(stub.ca), "--tokens", str(file))


def test_the_suite_runs_against_an_address_and_leaves_nothing_to_mail(stub: Stub) -> None:
    """All of it passes on a stub whose queue was in use, which is left alone; what is queued besides is marked."""
    keys = stub.queue([{"message_template": {"TestMessageV1": {"display_name": "A"}}, "mail_destination": []}] * 4)
    done = suite(stub, *named(stub, stub.dir / "tokens.json"), "--person-without-mail", "bob")
    assert done.returncode == 0, done.stdout
    assert "left out" not in done.stdout
    assert [one["id"] for one in stub.messages() if "sent_at" not in one] == keys


def test_the_suite_may_be_told_by_the_environment(stub: Stub) -> None:
    """Where the folder is not on the command line, pytest does not know its options."""
    told = {"CONFORMANCE_URL": stub.url, "CONFORMANCE_CA": str(stub.ca)}
    told |= {"CONFORMANCE_TOKENS": str(stub.dir / "tokens.json")}
    done = suite(stub, "tests/conformance", "-k", "status or self", **told)
    assert done.returncode == 0, done.stdout
    assert stub.messages() != []


def test_what_cannot_be_asked_is_left_out_and_named(stub: Stub) -> None:
    """A server without an outsider or a password runs the rest; without an administrator nothing can be queued."""
    few = tokens(stub, outsider=None, idm_admin_password=None)
    done = suite(stub, *named(stub, few), "-v", "-k", "test_a_captured_request")
    assert done.returncode == 0, done.stdout
    for name in ("ready: token outsider", "login 1: who", "send test to a person without mail"):
        assert f"conformance: left out: {name}" in done.stdout
    done = suite(stub, *named(stub, tokens(stub, admin=None)))
    assert (done.returncode, "admin" in done.stderr) == (4, True)


def test_the_suite_fails_where_a_server_answers_otherwise(tmp_path: Path) -> None:
    """A `_sent` that is always refused, and tokens whose rights are not what they are called."""
    rules = tmp_path / "misbehave.toml"
    rules.write_text('[[api]]\ncall = "sent"\nstatus = 503\n')
    with Stub(tmp_path / "stub", "--misbehave", str(rules)) as bad:
        refused = suite(bad, *named(bad, bad.dir / "tokens.json"))
    with Stub(tmp_path / "good") as good:
        swapped = tokens(good, readonly=good.tokens["outsider"], outsider=good.tokens["readonly"])
        confused = suite(good, *named(good, swapped))
    assert (refused.returncode, confused.returncode) == (1, 1)
    assert "[sent: again]" in refused.stdout
    assert "[ready: token outsider]" in confused.stdout


def answer(capture: Capture) -> httpx.Response:
    """Return the captured answer as it would come in."""
    headers = {name: value for name, value in capture.headers.items() if name != "content-length"}
    said = capture.text if capture.json is ABSENT else json.dumps(capture.json)
    return httpx.Response(capture.status, headers=headers, content=said.encode())


@pytest.mark.parametrize("name", CAPTURES)
def test_a_captured_answer_is_like_itself(name: str) -> None:
    """Each of them, when it comes in again."""
    assert differences(CAPTURES[name], answer(CAPTURES[name]), set(), "1.12.0-dev") == []


@pytest.mark.parametrize("header", ["x-kanidm-opid", "x-kanidm-version", "content-type", "www-authenticate", "allow"])
def test_a_header_that_is_missing_is_seen(header: str) -> None:
    """Wherever it was captured."""
    carrying = [capture for capture in CAPTURES.values() if header in answer(capture).headers]
    assert carrying
    for capture in carrying:
        unlike = answer(capture)
        del unlike.headers[header]
        assert differences(capture, unlike, set(), "1.12.0-dev"), capture.name


Spoil = Callable[[Any], Any]


def without(key: str) -> Spoil:
    return lambda body: {name: value for name, value in body.items() if name != key}


def changed(**values: Any) -> Spoil:
    return lambda body: body | values


def first(spoil: Spoil) -> Spoil:
    return lambda body: body | {"resources": [spoil(body["resources"][0]), *body["resources"][1:]]}


SPOILED: list[tuple[str, Spoil]] = [
    ("ready: test and reset", without("schemas")),
    ("ready: test and reset", changed(totalResults=2)),
    ("ready: test and reset", changed(itemsPerPage=None)),
    ("ready: test and reset", lambda body: {"Resources" if key == "resources" else key: body[key] for key in body}),
    ("ready: test and reset", lambda body: body | {"resources": body["resources"][:2], "totalResults": 2}),
    ("ready: test and reset", first(changed(sent_at=None))),
    ("ready: test and reset", first(changed(colour="red"))),
    ("ready: test and reset", first(without("delete_after"))),
    ("ready: test and reset", first(changed(id="1"))),
    ("ready: test and reset", first(changed(send_after="2026-11-20T23:15:11.638436440Z"))),
    ("ready: test and reset", first(changed(send_after="2026-11-20 23:15:11Z"))),
    ("ready: test and reset", first(changed(mail_destination=[{"value": "a@b"}]))),
    ("ready: test and reset", first(changed(message_template={"TestMessageV2": {"display_name": "E"}}))),
    ("ready: test and reset", first(changed(message_template={"TestMessageV1": {"display_name": 1}}))),
    ("list: some sent", first(without("sent_at"))),
    ("get", changed(**{"class": ["object"]})),
    ("get", lambda body: dict(reversed(body.items()))),
    ("page: first", without("startIndex")),
    ("page: first", changed(resources=[])),
    ("ready: token outsider", changed(totalResults=1)),
    ("sent", lambda _: {}),
    ("sent: unknown", lambda _: {"error": "nomatchingentries"}),
    ("sent: token readonly", lambda _: "AccessDenied"),
    ("send test to a person without mail", lambda _: {"missingattribute": "displayname"}),
    ("status", lambda _: "true"),
    ("self: sender", lambda body: {"youare": {"attrs": body["youare"]["attrs"] | {"memberof": "all"}}}),
    ("self: sender", lambda body: {"youare": {"attrs": without("memberof")(body["youare"]["attrs"])}}),
    ("own entry with extAccessCheck: token readonly", without("extAccessCheck")),
    ("own entry with extAccessCheck: token readonly",
     lambda body: body | {"extAccessCheck": body["extAccessCheck"] | {"modifyPresent": {"Allow": []}}}),
    ("own entry with extAccessCheck: token readwrite",
     lambda body: body | {"extAccessCheck": body["extAccessCheck"] | {"modifyPresent": "Deny"}}),
    ("login 3: wrong password", changed(state={"success": "a.b.c"})),
    ("login 3: proof", changed(state={"success": "no token"})),
    ("the key of a token", without("x")),
]  # fmt: skip


@pytest.mark.parametrize(("name", "spoil"), SPOILED)
def test_a_body_that_is_spoiled_is_seen(name: str, spoil: Spoil) -> None:
    """A key too many or too few, another order, another type, another word."""
    capture = CAPTURES[name]
    unlike = httpx.Response(capture.status, headers=capture.headers, content=json.dumps(spoil(capture.json)).encode())
    assert differences(capture, unlike, set(), "1.12.0-dev") != []


@pytest.mark.parametrize("name", CAPTURES)
def test_another_status_version_or_text_is_seen(name: str) -> None:
    """Whatever the rest of the answer says."""
    capture = CAPTURES[name]
    right = answer(capture)
    others = [httpx.Response(599, headers=capture.headers, content=right.content)]
    others.append(httpx.Response(capture.status, headers=capture.headers, content=b"something else"))
    assert all(differences(capture, other, set(), "1.12.0-dev") for other in others)
    if "x-kanidm-version" in capture.headers:
        assert differences(capture, right, set(), "1.11.0") != []
