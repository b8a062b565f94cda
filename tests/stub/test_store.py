"""The queue on disk: changes, purging, its past, a file of an older stub, and how long it takes with 100,000."""

from __future__ import annotations

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from server_stub import timestamps
from server_stub.queue.entry import Page, compose
from server_stub.queue.entry import test_message as template
from server_stub.queue.fill import fill
from server_stub.queue.filter_sql import compile_filter
from server_stub.queue.scim_filter import parse
from server_stub.queue.store import SCHEMA, Store
from tests.support.stub import Stub

SECOND = 10**9
WEEK = 7 * 86_400 * SECOND
NOW = 1_800_000_000 * SECOND
MANY, FILLED = 100_000, 5_000
# How the first version of the stub kept a queue.
VERSION_1 = """
CREATE TABLE message (
    seq INTEGER PRIMARY KEY, uuid TEXT NOT NULL, ready_at INTEGER NOT NULL, sent_at TEXT, body TEXT NOT NULL
) STRICT;
CREATE INDEX message_by_uuid ON message (uuid);
CREATE INDEX message_unsent ON message (ready_at) WHERE sent_at IS NULL;
PRAGMA user_version = 1;
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Give the path of a queue that is not there yet."""
    return tmp_path / "queue.sqlite"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """Give an empty queue."""
    store = Store.open(path, create=True)
    yield store
    store.close()


def message(now: int = NOW, **changes: Any) -> dict[str, Any]:
    return compose(template("Ellie"), "ellie@example.com", now) | changes


def test_ready_is_what_is_strictly_before_now(store: Store) -> None:
    """A `send_after` of this very nanosecond is not due yet."""
    store.add([message()])
    assert [len(store.ready(now)) for now in (NOW - 1, NOW, NOW + 1)] == [0, 0, 1]


def test_an_entry_is_unsent_and_delayed(store: Store) -> None:
    """Columns and text change together; an unknown id is reported."""
    (key,) = store.add([message()])
    assert store.mark_sent(key, NOW + 1)
    assert (store.ready(NOW + 2), store.count_unsent()) == ([], 0)
    assert store.unsend(key)
    assert (len(store.ready(NOW + 2)), store.count_unsent()) == (1, 1)
    assert store.delay(key, NOW + 5)
    assert [len(store.ready(now)) for now in (NOW + 5, NOW + 6)] == [0, 1]
    body = json.loads(store.get(key) or "")
    assert ("sent_at" in body, body["send_after"]) == (False, "2027-01-15T08:00:00.000000005Z")
    assert [store.unsend("nobody"), store.delay("nobody", NOW), store.mark_sent("nobody", NOW)] == [False] * 3


def test_purging_takes_what_is_past_its_time_sent_or_not(store: Store) -> None:
    """`delete_after` strictly before now; what has none stays for ever."""
    old, sent, young = store.add([message(), message(), message(NOW + 1)])
    store.mark_sent(sent, NOW)
    (timeless,) = store.add([{"raw": True}])
    assert store.purge(NOW + WEEK) == 0
    assert store.purge(NOW + WEEK + 1) == 2
    assert [store.get(key) is None for key in (old, sent, young, timeless)] == [True, True, False, False]
    assert store.purge(NOW + WEEK + 1) == 0


def test_the_version_changes_with_the_queue_and_not_without(store: Store, path: Path) -> None:
    """Each kind of change counts, another process' too; looking and failing do not."""
    other = Store.open(path, create=False)
    (key,) = store.add([message()])
    seen = [store.version()]
    changes: list[Callable[[], object]] = [
        lambda: store.mark_sent(key, NOW),
        lambda: store.unsend(key),
        lambda: store.delay(key, NOW),
        lambda: other.add([message()]),
        lambda: store.purge(NOW + WEEK + 1),
    ]
    for change in changes:
        change()
        assert store.version() == other.version()
        seen.append(store.version())
    assert len(set(seen)) == len(seen)
    for change in (store.count_unsent, store.select, lambda: store.unsend(key), lambda: store.purge(NOW)):
        change()
    assert store.version() == seen[-1]
    other.close()


def test_what_cannot_be_written_leaves_nothing_behind(store: Store) -> None:
    """All entries or none, and the next writer finds the queue open."""
    before = store.version()
    with pytest.raises(ValueError, match="Out of range"):
        store.add([message(), {"raw": float("inf")}])
    with pytest.raises(ValueError, match="class"):
        store.change(store.add([message()])[0], {"class": NOW})
    assert (len(store.select()[0]), store.version()) == (1, before + 1)


def test_the_past_of_an_entry_is_remembered() -> None:
    """A list of a short while ago has what is new not yet, and what was changed as it was, however often that was."""
    times = iter(range(NOW, NOW + 100))
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.executescript(SCHEMA)
    store = Store(connection, lambda: next(times))
    (key,) = store.add([message(0)])  # at NOW
    store.mark_sent(key, NOW)  # NOW + 1
    store.unsend(key)  # NOW + 2
    store.mark_sent(key, NOW + 3)  # NOW + 3
    unsent = compile_filter(parse("not (sent_at pr)"))
    listed = [len(store.ready(NOW + 50, as_of)) for as_of in (NOW - 1, NOW, NOW + 1, NOW + 2, NOW + 3, None)]
    assert listed == [0, 1, 0, 1, 0, 0]
    assert [store.select(unsent, None, as_of)[1] for as_of in (NOW, NOW + 1, NOW + 2, NOW + 3)] == [1, 0, 1, 0]
    assert "sent_at" not in json.loads(store.select(as_of=NOW)[0][0])
    connection.close()


def test_a_queue_of_the_first_version_is_taken_over(path: Path) -> None:
    """Every entry stays, can be changed, and is purged when its time has come."""
    bodies = [message(), message(sent_at="2026-01-01T00:00:00Z"), {"raw": True}, 7]
    with sqlite3.connect(path) as old:
        old.executescript(VERSION_1)
        for number, body in enumerate(bodies):
            sent = body.get("sent_at") if isinstance(body, dict) else None
            old.execute("INSERT INTO message VALUES (NULL, ?, 5, ?, ?)", (f"id{number}", sent, json.dumps(body)))
    old.close()
    store = Store.open(path, create=False)
    assert [json.loads(body) for body in store.select()[0]] == bodies
    assert store.mark_sent("id0", NOW)
    assert store.purge(NOW + WEEK + 1) == 2
    assert len(Store.open(path, create=False).select()[0]) == 2
    store.close()


def test_pages_of_a_turned_order_hold_as_many_and_miss_some(store: Store) -> None:
    """A page is as long as it should be wherever its order begins; a huge page or start is no error."""
    ids = store.add([message() for _ in range(10)])
    page = [json.loads(body)["id"] for body in store.select(page=Page(9, 4), turn=1)[0]]
    assert page == ids[9:10] + ids[:1]
    assert store.select(page=Page(2**64 - 1, 2**64 - 1)) == ([], 10)
    assert len(store.select(page=Page(1, 2**64 - 1))[0]) == 10


def test_a_filled_queue_is_a_plausible_one(store: Store) -> None:
    """As many as asked for, all due, of both kinds, each to somebody else, in the order of their times."""
    fill(store, 6_000, NOW)
    bodies = [json.loads(body) for body in store.ready(NOW)]
    kinds = Counter(kind for body in bodies for kind in body["message_template"])
    assert kinds == {"TestMessageV1": 2_000, "CredentialResetV1": 4_000}
    assert len({body["mail_destination"][0]["value"] for body in bodies}) == 6_000
    times = [timestamps.read(body["send_after"]) or 0 for body in bodies]
    assert times == sorted(times)
    resets = [reset for body in bodies if (reset := body["message_template"].get("CredentialResetV1"))]
    assert all(NOW // SECOND + 3_000 < reset["expiry_time"] < NOW // SECOND + 90_000 for reset in resets)


# Makes a queue long without composing each entry: copies of the first one, with ids of their own.
COPIES = """
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ?)
INSERT INTO message (uuid, ready_at, sent_at, body, delete_at, created_at)
SELECT printf('00000000-0000-4000-8000-%012d', n), ready_at, sent_at,
       json_set(body, '$.id', printf('00000000-0000-4000-8000-%012d', n)), delete_at, created_at
FROM number, (SELECT * FROM message ORDER BY seq LIMIT 1)
"""
LIMITS = {"fill": 15.0, "get": 0.005, "mark": 0.02, "version": 0.005, "latest": 0.2, "count": 0.2, "ready": 2.0}


def test_a_hundred_thousand_messages_do_not_slow_it_down(store: Store) -> None:
    """Each in its time, with ten times that to spare for a busy machine: a scan for each call would show."""
    took: dict[str, float] = {}

    def timed(name: str, times: int, call: Callable[[], object]) -> None:
        start = time.perf_counter()
        for _ in range(times):
            call()
        took[name] = (time.perf_counter() - start) / times

    timed("fill", 1, lambda: fill(store, FILLED, NOW))
    store._connection.execute(COPIES, (MANY - FILLED,))
    keys = [json.loads(body)["id"] for body in store.select()[0]]
    left = iter(keys)
    timed("get", 500, lambda: store.get(keys[MANY // 2]))
    timed("mark", 500, lambda: store.mark_sent(next(left), NOW))
    store._connection.execute("UPDATE message SET sent_at = '2026-01-01T00:00:00Z' WHERE seq <= ?", (MANY - 16_000,))
    timed("version", 500, store.version)
    timed("latest", 20, lambda: store.latest(100))
    timed("count", 5, store.count_unsent)
    timed("ready", 3, lambda: store.ready(NOW))
    assert {name: seconds for name, seconds in took.items() if seconds > LIMITS[name]} == {}
    assert len(store.ready(NOW)) == 16_000


def test_another_process_sees_a_filled_queue_at_once(process: Stub) -> None:
    """A running stub and whoever fills its queue share one file, and neither stops the other."""
    other = Store.open(process.dir / "queue.sqlite", create=False)
    fill(other, 1_000, time.time_ns())
    other.close()
    assert len(process.messages()) == 1_000
    (key,) = {one["id"] for one in process.messages()[:1]}
    assert process.request("POST", f"/scim/v1/Message/{key}/_sent").status_code == 200
    assert process.kill() < 0
    process.start()
    assert [one["id"] for one in process.messages() if "sent_at" in one] == [key]
