"""A running sender shows what is wrong: once in its log, and in status, health, metrics and on its page.

The set-ups are those that `doctor` is tried on, as far as a sender can run with them. Each runs in this process, with
the stub, real relays and a real name server.
"""

import asyncio
import html
import json
import re
import socket
import sqlite3
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from mail_sender import log
from mail_sender.config import load
from mail_sender.control import inquiry
from mail_sender.ledger.state_folder import StateFolder
from mail_sender.lifecycle import Signals
from mail_sender.observe import domain_watch
from mail_sender.observe.as_json import ready_for_json
from mail_sender.observe.status import ConditionStatus, Status
from mail_sender.wiring import serve
from tests.acceptance.test_doctor import assert_no_secret
from tests.support import broken_setups
from tests.support.broken_setups import BROKEN, World
from tests.support.stub import Stub

DEADLINE = 30.0


@dataclass(frozen=True)
class Shown:
    """What a running sender says of a set-up: the condition and its event, and whether it holds up mail."""

    condition: str
    kind: str
    event: str
    holds_up: bool = True


def relay(kind: str) -> Shown:
    """Return what is said of a relay."""
    return Shown("relay", kind, "relay_down")


def server(kind: str) -> Shown:
    """Return what is said of an identity server, or of the token that it was shown."""
    return Shown("server", kind, "server_down")


def domain(kind: str) -> Shown:
    """Return what is said of a domain's DNS."""
    return Shown("domain", kind, "domain_down", holds_up=False)


SHOWN = {
    "bad host": relay("resolve"),
    "wrong port": relay("connect"),
    "TLS where STARTTLS is wanted": relay("tls"),
    "STARTTLS where TLS is wanted": relay("banner"),
    "expired certificate": relay("tls"),
    "certificate for another name": relay("tls"),
    "certificate of an unknown CA": relay("tls"),
    "no AUTH offered": relay("auth"),
    "wrong password": relay("auth"),
    "password in quotes": relay("auth"),
    "password with a trailing newline": Shown("configuration", "warning", "config_warning", holds_up=False),
    "From refused": relay("mail"),
    "read-only token": server("token_read_only"),
    "expired token": server("token_refused"),
    "revoked token": server("token_refused"),
    "outsider's token": server("token_without_group"),
    "server down": server("server_unreachable"),
    "proxy page instead of the API": server("server_not_kanidm"),
    "server's certificate expired": server("server_untrusted"),
    "clock off": Shown("clock", "skew", "clock_down", holds_up=False),
    "no SPF": domain("spf"),
    "two SPF": domain("spf"),
    "SPF over ten look-ups": domain("spf"),
    "no DMARC": domain("dmarc"),
    "missing DKIM key": domain("dkim"),
    "no MX": domain("from_domain"),
    "EHLO localhost": domain("ehlo_name"),
}


@dataclass
class Running:
    """A sender at work in this process, and what it logged."""

    world: World
    state: Path
    log: list[Any] = field(default_factory=list)

    async def event(self, name: str, kind: str | None = None) -> dict[str, Any]:
        """Wait until an event is logged, and return it."""
        async with asyncio.timeout(DEADLINE):
            while not (found := self.events(name, kind)):  # noqa: ASYNC110 - structlog has no event to wait for
                await asyncio.sleep(0.02)
        return found[0]

    def events(self, name: str, kind: str | None = None) -> list[dict[str, Any]]:
        """Return the events of a name, of one kind if it is named."""
        return [line for line in self.log if line["event"] == name and kind in {None, line.get("kind")}]

    async def status(self) -> Status:
        """Return the status, as the control socket gives it."""
        return await asyncio.to_thread(inquiry.status, StateFolder(self.state))

    async def status_after_a_poll(self) -> Status:
        """Return the status once a poll has succeeded."""
        async with asyncio.timeout(DEADLINE):
            while not _has_polled(found := await self.status()):  # noqa: ASYNC110 - it is another program that is asked
                await asyncio.sleep(0.05)
        return found

    async def get(self, path: str) -> tuple[int, str]:
        """Return the status code and the body of an answer of the listener."""
        at = (await self.event("observe_listening"))["at"]
        return await asyncio.to_thread(fetch, f"http://{at}{path}")


def _has_polled(status: Status) -> bool:
    return status.server is not None and status.server.last_good_poll_at is not None


def fetch(url: str) -> tuple[int, str]:
    """Return the status code and the body of an answer, whatever the code is."""
    opener = urllib.request.build_opener(AnyCode)
    with opener.open(url, timeout=DEADLINE) as answer:
        return answer.status, answer.read().decode()


class AnyCode(urllib.request.HTTPErrorProcessor):
    """Takes every code for an answer."""

    def http_response(self, _: object, response: Any) -> Any:
        """Return the answer as it is."""
        return response


@pytest.fixture
def world(stub: Stub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """Give a world in which all is well, and whose names are the test's own."""
    monkeypatch.setattr(socket, "getaddrinfo", broken_setups.look_up)
    monkeypatch.setattr(domain_watch, "FIRST_AFTER", 0.1)
    with broken_setups.world(stub, tmp_path) as made:
        # A process of its own looks this name up nowhere.
        made.sender(relay={"local_name": "localhost"})
        yield made


@asynccontextmanager
async def running(world: World, state: Path) -> AsyncIterator[Running]:
    """Run a sender with the world's configuration, which listens."""
    world.sender(ledger={"path": state}, observe={"listen": "127.0.0.1:0"}, schedule="* * * * * *")
    signals = Signals()
    with capture_logs() as lines:
        config = load.load(*world.files)
        work = asyncio.ensure_future(serve.run(config, lambda: load.load(*world.files), signals))
        try:
            yield Running(world, state, lines)
        finally:
            signals.stop.set()
            async with asyncio.timeout(DEADLINE):
                await work


async def assert_shown(found: Running, expected: Shown, cause: str) -> None:
    """See it in the log once, and in each of the outputs; no secret in any of them."""
    await found.event(expected.event, expected.kind if expected.event != "config_warning" else None)
    status = await (found.status() if expected.holds_up else found.status_after_a_poll())
    condition = the_condition(status, expected, cause)
    assert condition.blocks == expected.holds_up
    assert status.healthy != expected.holds_up
    code, health = await found.get("/health/ready")
    assert code == (503 if expected.holds_up else 200)
    named = json.loads(health)["why" if expected.holds_up else "warnings"]
    assert any(line.startswith(f"{expected.condition}: {expected.kind} since ") for line in named)
    assert (await found.get("/health/alive"))[0] == 200
    _, metrics = await found.get("/metrics")
    assert f'mail_sender_condition_up{{condition="{expected.condition}"}} 0.0\n' in metrics
    since = (
        rf'mail_sender_fault_since_timestamp_seconds{{condition="{expected.condition}",kind="{expected.kind}"}} \d'
    )
    assert re.search(since, metrics)
    _, page = await found.get("/")
    assert html.escape(condition.detail) in html.escape(html.unescape(page))
    assert html.escape(condition.advice) in html.escape(html.unescape(page))
    said = [line for line in found.events(expected.event) if condition.detail in line["message"]]
    assert len(said) == 1, said
    everything = f"{found.log}{json.dumps(ready_for_json(status))}{health}{metrics}{page}"
    assert_no_secret(found.world, log.Redactor(frozenset()).text(everything))


def the_condition(status: Status, expected: Shown, cause: str) -> ConditionStatus:
    """Return the one condition that is expected, and has the cause in it."""
    found = [
        one
        for one in status.conditions
        if (one.name, one.kind) == (expected.condition, expected.kind) and (cause in one.detail or not cause)
    ]
    assert len(found) == 1, status.conditions
    return found[0]


CAUSES_OF_ITS_OWN = {
    "expired token": "the token",
    "revoked token": "the token",
}
"""Where a running sender says the cause in other words than `doctor`, that part of them which names it."""


@pytest.mark.parametrize("name", SHOWN)
async def test_a_running_sender_shows_what_is_wrong(world: World, tmp_path: Path, name: str) -> None:
    """With the cause and the cure that `doctor` names."""
    broken, expected = BROKEN[name], SHOWN[name]
    broken.make(world)
    if expected.condition == "relay":
        await asyncio.to_thread(world.stub.send_test, "ellie")
    async with running(world, tmp_path / "ledger") as found:
        await assert_shown(found, expected, CAUSES_OF_ITS_OWN.get(name, broken.cause))


def _break_override(world: World, _: Path) -> None:
    BROKEN["broken override"].make(world)


def _lock_ledger(world: World, state: Path) -> None:
    held = sqlite3.connect(state / "ledger.db", isolation_level=None, check_same_thread=False)
    held.execute("BEGIN EXCLUSIVE")
    world.stack.callback(held.close)


LATER: dict[str, tuple[Callable[[World, Path], None], Shown, str]] = {
    "broken override": (
        _break_override,
        Shown("configuration", "rejected", "config_rejected", holds_up=False),
        "nobody_knows_this",
    ),
    "ledger that another program holds": (_lock_ledger, Shown("ledger", "SQLITE_BUSY", "ledger_down"), ""),
}
"""What a sender cannot start with, and may meet while it runs."""


@pytest.mark.parametrize("name", LATER)
async def test_what_breaks_while_it_runs_is_shown(world: World, tmp_path: Path, name: str) -> None:
    """Mail goes on by the configuration of before; it waits for a ledger."""
    break_it, expected, cause = LATER[name]
    async with running(world, tmp_path / "ledger") as found:
        await found.event("server_ready")
        await asyncio.to_thread(break_it, world, tmp_path / "ledger")
        await asyncio.to_thread(world.stub.send_test, "ellie")
        await found.event(expected.event)
        status = await found.status()
        assert [one.blocks for one in status.conditions if one.name == expected.condition] == [expected.holds_up]
        assert cause in the_condition(status, expected, cause).detail
        world.stack.close()
