"""Misbehaviour on demand: rules in TOML, which the API, the relay and the queue ask what to do.

`[[api]]` tables are read by `api_rule`, `[[relay]]` tables by `relay_rule`, the `[queue]` table by `queue_faults`;
each names its keys. New rules come into force at once and count from zero. All of it belongs to one event loop.
"""

from __future__ import annotations

import sqlite3
import time
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from server_stub.errors import StubError
from server_stub.misbehaviour import api_rule, queue_faults, relay_rule
from server_stub.misbehaviour.api_rule import ApiAct
from server_stub.misbehaviour.queue_faults import QueueFaults
from server_stub.misbehaviour.relay_rule import RelayAct, RelayEvent
from server_stub.misbehaviour.rule import Rule, due
from server_stub.misbehaviour.toml_table import nearest

TABLES = ("api", "relay", "queue")
LISTINGS = {"ready", "list"}


@dataclass
class Rules:
    """What one text says; `listings` counts the lists that were asked for under it."""

    text: str = ""
    api: list[Rule[str, ApiAct]] = field(default_factory=list)
    relay: list[Rule[RelayEvent, RelayAct]] = field(default_factory=list)
    queue: QueueFaults = field(default_factory=QueueFaults)
    listings: int = 0


class Misbehaviour:
    """The rules in force; without any, everything behaves."""

    def __init__(self) -> None:
        self._rules = Rules()
        self._add: Callable[[Iterable[object]], object] | None = None

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Return the rules of a file; None means that everything behaves. Raises StubError."""
        misbehaviour = cls()
        if path is not None:
            misbehaviour._rules = _parse(_content(path), f"{path}: ")
        return misbehaviour

    @property
    def text(self) -> str:
        """The TOML in force."""
        return self._rules.text

    def set(self, text: str) -> None:
        """Put other rules in force. Raises StubError, and leaves the old ones in force."""
        rules = _parse(text, "")
        self._queue(rules)
        self._rules = rules

    def clear(self) -> None:
        """Behave from now on."""
        self._rules = Rules()

    def fired(self) -> list[tuple[str, int]]:
        """Return each rule in words, and how often it has acted."""
        rules = self._rules
        counts = [(rule.words, rule.acted) for rule in rules.api]
        counts += [(rule.words, rule.acted) for rule in rules.relay]
        if rules.queue.lagging_seconds:
            counts.append((f"Queue: listings lag by {rules.queue.lagging_seconds:g} s", rules.listings))
        if rules.queue.overlapping_pages:
            counts.append(("Queue: pages overlap and miss entries", rules.listings))
        return [*counts, *rules.queue.words]

    def queue_into(self, add: Callable[[Iterable[object]], object]) -> None:
        """Queue by `add` what [queue] wants queued: now, and whenever other rules are set. Raises StubError."""
        self._add = add
        self._queue(self._rules)

    @property
    def lagging_seconds(self) -> float:
        """How old what a listing shows is; 0 behaves."""
        return self._rules.queue.lagging_seconds

    @property
    def overlapping_pages(self) -> bool:
        """Whether pages repeat entries and miss others."""
        return self._rules.queue.overlapping_pages

    def at_call(self, call: str) -> ApiAct:
        """Return what to do with this call (a name of `api_rule.CALLS`), which counts by that."""
        self._rules.listings += call in LISTINGS
        return api_rule.joined(due(self._rules.api, call))

    def at_stage(self, event: RelayEvent) -> RelayAct:
        """Return what the relay does at this stage, which counts by that."""
        return relay_rule.joined(due(self._rules.relay, event))

    def _queue(self, rules: Rules) -> None:
        entries = list(rules.queue.entries(time.time_ns()))
        if not self._add or not entries:
            return
        try:
            self._add(entries)
        except sqlite3.Error as error:
            raise StubError(f"The entries of [queue] could not be queued ({error}): try again.") from error


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise StubError(f"Cannot read the misbehaviour file {path} ({error.strerror}).") from error
    except UnicodeDecodeError as error:
        raise StubError(f"The misbehaviour file {path} is not UTF-8.") from error


def _parse(text: str, where: str) -> Rules:
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise StubError(f"{where}this is not TOML: {error}.") from error
    for table in content:
        if table not in TABLES:
            raise StubError(f"{where}there is no table `{table}`: {nearest(table, TABLES)}.")
    return Rules(
        text,
        [api_rule.read(name, table) for name, table in _array(where, content, "api")],
        [relay_rule.read(name, table) for name, table in _array(where, content, "relay")],
        queue_faults.read(f"{where}[queue]", content.get("queue", {})),
    )


def _array(where: str, content: dict[str, object], key: str) -> list[tuple[str, object]]:
    tables = content.get(key, [])
    if not isinstance(tables, list):
        raise StubError(f"{where}`{key}` must be given as [[{key}]], in two brackets: there may be many.")
    return [(f"{where}[[{key}]] number {number}", table) for number, table in enumerate(tables, 1)]
