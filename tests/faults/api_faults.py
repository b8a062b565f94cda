"""Faults of an identity server, or of what stands before it, beyond those of the rig; and a note that one was met."""

import asyncio
import gzip
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any, Self

from server_stub.misbehaviour.exchange import Exchange, Fault, hang, lose_answer, reset, status
from tests.faults.rig import Rig

SELF, ENTRY, READY, READ, SENT = "/v1/self", "/scim/v1/Entry/", "/_ready", "GET one message", "/_sent"
PATHS = (SELF, ENTRY, READY, READ, SENT)
SHORT = 0.4
"""Seconds that a hanging server is waited for, where it is to hang."""

HTML = b"<!DOCTYPE html><html><title>Sign in</title><body>Please log in to the proxy</body></html>"
_HUGE = 65 * 2**20

BODIES: Mapping[str, bytes] = MappingProxyType(
    {
        "HTML": HTML,
        "nothing": b"",
        "null": b"null",
        "a word": b'"ok"',
        "a list": b"[]",
        "an object": b"{}",
        "resources that are no list": b'{"resources": {}}',
        "a number": b"-1e999",
        "100,000 brackets": b"[" * 100_000,
        "no UTF-8": b"\xff\xfe\x00",
        "half a surrogate": rb'{"resources": "\ud800"}',
        "no JSON": b"{'resources': []}",
    }
)


def html(code: int) -> Fault:
    """Return what a proxy answers in the server's stead."""
    return status(code, HTML, content_type="text/html")


def redirect(code: int) -> Fault:
    """Return a redirect to another server, which must not get the token."""
    return status(code, b"", location="http://127.0.0.1:9/stolen")


async def huge(exchange: Exchange) -> None:
    """Answer more than anybody should take."""
    start = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]}
    await exchange.send(start)
    for _ in range(_HUGE // 2**20):
        await exchange.send({"type": "http.response.body", "body": b" " * 2**20, "more_body": True})
    await exchange.send({"type": "http.response.body", "body": b"null"})


async def compressed(exchange: Exchange) -> None:
    """Answer in gzip, as a proxy may."""
    code, body = await exchange.whole_answer()
    await exchange.answer(code, gzip.compress(body), {"content-encoding": "gzip"})


async def apply_and_hang(exchange: Exchange) -> None:
    """Have it done, and never say so."""
    await exchange.whole_answer()
    await hang(exchange)


def edited(change: Callable[[Any], Any]) -> Fault:
    """Return a fault that changes the JSON of the usual answer."""

    async def fault(exchange: Exchange) -> None:
        code, body = await exchange.whole_answer()
        await exchange.answer(code, json.dumps(change(json.loads(body))).encode())

    return fault


def without_groups(answer: Any) -> Any:
    """Return /v1/self of an account that has lost its group."""
    answer["youare"]["attrs"]["memberof"] = ["idm_all_accounts@localhost"]
    return answer


def denied(answer: Any) -> Any:
    """Return the account's entry as a read-only token sees it."""
    assert "extAccessCheck" in answer, "the stub answers without it"
    answer["extAccessCheck"]["modifyPresent"] = "Deny"
    return answer


def retry_after(code: int, value: str, name: str) -> Fault:
    """Return a refusal for now; `name` may stand for a value that only the moment knows."""

    async def fault(exchange: Exchange) -> None:
        said = {"in two minutes": timedelta(minutes=2), "an hour ago": timedelta(hours=-1)}.get(name)
        header = value if said is None else format_datetime(datetime.now(UTC) + said, usegmt=True)
        await exchange.answer(code, b"null", {"retry-after": header})

    return fault


NETWORK: Mapping[str, Fault] = MappingProxyType(
    {
        "reset": reset,
        "hang": hang,
        "lost answer": lose_answer,
        "done, then hang": apply_and_hang,
        "65 MiB": huge,
        "gzip": compressed,
    }
)


class Met:
    """A fault for a rig's API, and how often it was met so far."""

    def __init__(self, rig: Rig, fault: Fault) -> None:
        self.times = 0
        self._rig = rig
        self._fault = fault

    def at(self, path: str, times: int) -> Self:
        """Have it stand before the next calls of a path."""
        if path == READ:
            for queued in self._rig.queued:
                self._rig.api.fault(self._meet, path=f"/{queued.id}", method="GET", times=times)
        else:
            self._rig.api.fault(self._meet, path=path, times=times)
        return self

    async def often(self, times: int = 1, seconds: float = 40.0) -> None:
        """Wait until the fault was met so often.

        Raises `AssertionError` where it is not.
        """
        met = await self._rig.changes.until(lambda: self.times >= times, seconds)
        assert met, f"the fault was met {self.times} times, not {times}"

    async def _meet(self, exchange: Exchange) -> None:
        self.times += 1
        try:
            await self._fault(exchange)
        finally:
            self._rig.changes.ring()


async def start_impatient(rig: Rig) -> None:
    """Start the sender with short deadlines towards the server: its own are of half a minute and more."""
    await rig.open()
    assert rig._sender is not None
    network = rig._sender.source._https._network
    network._connect_seconds = network._silent_seconds = SHORT
    await rig.start()


async def pause(rig: Rig, seconds: float) -> None:
    """Let so many of the clock's seconds pass: in them, something is not to happen."""
    await rig.clock.wait(asyncio.Event(), seconds)
