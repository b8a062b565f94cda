"""`doctor` says of each broken set-up what is wrong and what to do, and of a good one that all is well."""

import base64
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tomli

from mail_sender.cli import doctor_output
from tests.support import broken_setups
from tests.support.broken_setups import BROKEN, World
from tests.support.stub import Stub

USUAL = {"skipped user"} if os.geteuid() == 0 else set()


@pytest.fixture
def world(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a world in which all is well, whose names are the test's own."""
    monkeypatch.setattr(socket, "getaddrinfo", broken_setups.look_up)
    with broken_setups.world(stub, tmp_path) as made:
        yield made


def examined(world: World, capsys: pytest.CaptureFixture[str]) -> tuple[int, list[dict[str, Any]]]:
    """Return the exit code and the findings; no secret is shown, whatever they are."""
    code = doctor_output.print_report(world.files, "json", debug=False)
    out, err = capsys.readouterr()
    found = json.loads(out)
    assert found["version"] == 1
    assert found["exit"] == code
    assert err == ""
    assert_no_secret(world, out)
    return code, found["findings"]


def assert_no_secret(world: World, text: str) -> None:
    """Neither the token nor a part of it, nor the password, as it is said or plain."""
    values = tomli.loads(world.stub.sender_config.read_text())
    secrets = [*str(values["token"]).split("."), str(values.get("mail_password") or "-" * 9).strip(' \n"')]
    for secret in secrets:
        assert secret not in text
        assert base64.b64encode(secret.encode()).decode() not in text


def odd(findings: list[dict[str, Any]]) -> set[str]:
    """Return the checks that are not ok, with their levels."""
    return {f"{one['level']} {one['check']}" for one in findings if one["level"] != "ok"}


def test_a_good_set_up_is_well_in_every_respect(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing but what is as it should be, in the order in which a mail goes; and nothing was sent or marked."""
    code, findings = examined(world, capsys)
    assert code == 0
    assert odd(findings) == USUAL
    topics = list(dict.fromkeys(one["topic"] for one in findings))
    assert topics == ["configuration", "templates", "ledger", "server", "relay", "domain", "ehlo_name", "clock"]
    assert world.stub.mails() == []
    assert not (world.stub.dir / "state").exists()


@pytest.mark.parametrize("name", BROKEN)
def test_the_cause_and_the_cure_of_a_broken_set_up_are_named(
    world: World, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    """One finding says it; all else that can be checked is, and is well."""
    broken = BROKEN[name]
    broken.make(world)
    code, findings = examined(world, capsys)
    assert code == (1 if broken.level == "fault" else 0)
    (found,) = [one for one in findings if one["check"] == broken.check and one["level"] == broken.level]
    assert broken.cause in found["seen"]
    assert broken.cure in found["advice"]
    faults = {one for one in odd(findings) if one.startswith("fault")}
    assert faults == ({f"fault {broken.check}"} if broken.level == "fault" else set())


def test_a_disk_that_is_full_is_named(
    world: World, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the sender has to stop it is a warning, then a fault; a disk without inodes is as full."""
    real = os.statvfs(world.folder)
    levels = []
    for free, inodes in ((20 * 2**20, 9), (300 * 2**10, 9), (2**40, 0)):
        numbers = list(real)
        numbers[1], numbers[4], numbers[5], numbers[7] = 1, free, 10, inodes
        monkeypatch.setattr(os, "statvfs", lambda _, numbers=numbers: os.statvfs_result(numbers))
        _, findings = examined(world, capsys)
        (found,) = [one for one in findings if one["check"] == "disk"]
        assert "free some space" in found["advice"]
        levels.append(found["level"])
    assert levels == ["warning", "fault", "fault"]
