"""The queue on disk: one SQLite table of entries, kept as the JSON that goes out.

The journal is a WAL that survives kill -9, and a second process may write into it: no API of Kanidm could queue what
`server-stub queue` queues. Times are nanoseconds since 1970 throughout.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Self

from server_stub import timestamps
from server_stub.errors import StubError
from server_stub.folder.files import corrupt
from server_stub.queue.entry import Page, to_text
from server_stub.queue.filter_sql import EVERYTHING, Condition
from server_stub.queue.schema import SCHEMA, column, prepare

__all__ = ["SCHEMA", "Store"]

BUSY_SECONDS = 5.0
HURRIED_SECONDS = 0.25  # for a program that answers nobody while it waits
REMEMBERED = 3_600 * timestamps.NANOS  # how long the past of an entry is kept
INSERT = "INSERT INTO message (uuid, ready_at, sent_at, body, delete_at, created_at) VALUES (?, ?, ?, ?, ?, ?)"
KEEP = "INSERT INTO past SELECT seq, ?, ready_at, sent_at, body FROM message WHERE uuid = ?"
MARK = "UPDATE message SET sent_at = ?1, body = json_set(body, '$.sent_at', ?1) WHERE uuid = ?2"
UNSEND = "UPDATE message SET sent_at = NULL, body = json_remove(body, '$.sent_at') WHERE uuid = ?"
DELAY = "UPDATE message SET ready_at = ?, body = json_set(body, '$.send_after', ?) WHERE uuid = ?"
# Each entry as it was at a time: the oldest of what it has been since, or else what it is.
AS_IT_WAS = """(
    SELECT now.seq, now.uuid,
           iif(was.seq IS NULL, now.ready_at, was.ready_at) AS ready_at,
           iif(was.seq IS NULL, now.sent_at, was.sent_at) AS sent_at,
           iif(was.seq IS NULL, now.body, was.body) AS body
    FROM message AS now
    LEFT JOIN past AS was ON was.rowid = (SELECT min(rowid) FROM past WHERE seq = now.seq AND until > ?)
    WHERE now.created_at <= ?
)"""


class Store:
    """The queue. Every method is one transaction; a foreign file raises StubError when it is opened.

    Where another process writes for longer than a method waits, that raises sqlite3.OperationalError.
    """

    def __init__(self, connection: sqlite3.Connection, clock: Callable[[], int] = time.time_ns) -> None:
        self._connection = connection
        self._clock = clock

    @classmethod
    def open(
        cls,
        path: Path,
        *,
        create: bool,
        patience: float = BUSY_SECONDS,
        clock: Callable[[], int] = time.time_ns,
    ) -> Self:
        """Open the queue at `path`, making it if told so. Raises StubError.

        Methods wait `patience` seconds for another process that writes.
        """
        mode = "rwc" if create else "rw"
        try:
            connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=patience)
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            prepare(connection, path)
        except sqlite3.OperationalError as error:
            raise StubError(f"Cannot open the queue {path} ({error}).") from error
        except sqlite3.DatabaseError as error:
            raise corrupt(path, str(error)) from error
        return cls(connection, clock)

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._connection.close()

    def add(self, entries: Iterable[object]) -> list[str]:
        """Queue entries in their order, all or none, and return their ids. Raises ValueError for what is not JSON."""
        now = self._clock()
        rows = [_row(entry, now) for entry in entries]
        with self._writing():
            self._connection.executemany(INSERT, rows)
        return [row[0] for row in rows]

    def ready(self, now: int, as_of: int | None = None) -> list[str]:
        """Return the entries that are unsent and whose `send_after` is strictly before `now`.

        With `as_of`, the queue as it was then.
        """
        return self._bodies(Condition("sent_at IS NULL AND ready_at < ?", (column(now) or 0,)), as_of)

    def count_unsent(self) -> int:
        """Return how many entries have no `sent_at`, delayed ones too."""
        return self._count(Condition("sent_at IS NULL"))

    def select(
        self, condition: Condition = EVERYTHING, page: Page | None = None, as_of: int | None = None, turn: int = 0
    ) -> tuple[list[str], int]:
        """Return the entries that meet `condition`, or a page of them, and how many there are in all.

        With `as_of`, the queue as it was then. A page is cut from the order of creation turned by `turn`
        entries, which is how pages come to overlap.
        """
        if page is None:
            found = self._bodies(condition, as_of)
            return found, len(found)
        total = self._count(condition, as_of)
        wanted = min(page.count, total - page.start + 1)
        if wanted <= 0:
            return [], total
        first = (page.start - 1 + turn) % total
        found = self._bodies(condition, as_of, (wanted, first))
        return found + self._bodies(condition, as_of, (wanted - len(found), 0)), total

    def get(self, key: str) -> str | None:
        """Return the entry with this id."""
        return next(iter(self._bodies(Condition("uuid = ?", (key,)))), None)

    def latest(self, count: int) -> tuple[list[str], int]:
        """Return up to `count` entries, newest first, and how many there are in all."""
        found = self._connection.execute("SELECT body FROM message ORDER BY seq DESC LIMIT ?", (count,))
        return [body for (body,) in found], self._count(EVERYTHING)

    def mark_sent(self, key: str, now: int) -> bool:
        """Set `sent_at` to `now`, whatever it was; False if there is no such entry."""
        return self.change(key, {"sent_at": now})

    def unsend(self, key: str) -> bool:
        """Take `sent_at` away, so that the entry is ready again; False if there is no such entry."""
        return self.change(key, {"sent_at": None})

    def delay(self, key: str, send_after: int) -> bool:
        """Set `send_after`; `delete_after` stays, as on a real server. False if there is no such entry."""
        return self.change(key, {"send_after": send_after})

    def change(self, key: str, times: Mapping[str, int | None]) -> bool:
        """Set `sent_at` and `send_after`, or take `sent_at` away (None); False if there is no such entry."""
        with self._writing():
            known = self._connection.execute(KEEP, (self._clock(), key)).rowcount > 0
            for attribute, time_ns in times.items():
                sql, values = _update(attribute, time_ns)
                self._connection.execute(sql, (*values, key))
        return known

    def purge(self, now: int) -> int:
        """Remove the entries whose `delete_after` is before `now`, sent or not, and return how many there were."""
        with self._writing():
            self._connection.execute("DELETE FROM past WHERE until < ?", (self._clock() - REMEMBERED,))
            return self._connection.execute("DELETE FROM message WHERE delete_at < ?", (column(now),)).rowcount

    def version(self) -> int:
        """Return a number that is another one after each change of the queue, by whichever process."""
        return int(self._connection.execute("SELECT revision FROM queue").fetchone()[0])

    @contextlib.contextmanager
    def _writing(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        before = self._connection.total_changes
        try:
            yield
            if self._connection.total_changes != before:
                self._connection.execute("UPDATE queue SET revision = revision + 1")
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    def _bodies(
        self, condition: Condition, as_of: int | None = None, window: tuple[int, int] | None = None
    ) -> list[str]:
        source, times = _source(as_of)
        # `condition` is ours or the filter compiler's; values are always parameters.
        sql = f"SELECT body FROM {source} WHERE {condition.sql} ORDER BY seq LIMIT ? OFFSET ?"  # noqa: S608 - see above
        values = (*times, *condition.parameters, *(window or (-1, 0)))
        return [body for (body,) in self._connection.execute(sql, values)]

    def _count(self, condition: Condition, as_of: int | None = None) -> int:
        source, times = _source(as_of)
        sql = f"SELECT count(*) FROM {source} WHERE {condition.sql}"  # noqa: S608 - as in _bodies
        return int(self._connection.execute(sql, (*times, *condition.parameters)).fetchone()[0])


def _source(as_of: int | None) -> tuple[str, tuple[int, ...]]:
    return ("message", ()) if as_of is None else (AS_IT_WAS, (as_of, as_of))


def _update(attribute: str, time_ns: int | None) -> tuple[str, tuple[str | int | None, ...]]:
    match attribute, time_ns:
        case "sent_at", None:
            return UNSEND, ()
        case "sent_at", int():
            return MARK, (timestamps.write(time_ns),)
        case "send_after", int():
            return DELAY, (column(time_ns), timestamps.write(time_ns))
    raise ValueError(f"{attribute} cannot be set to {time_ns}")


def _row(entry: object, now: int) -> tuple[str, int, str | None, str, int | None, int]:
    attributes = entry if isinstance(entry, dict) else {}
    sent_at = attributes.get("sent_at")
    return (
        _key(attributes.get("id")),
        column(timestamps.read(attributes.get("send_after"))) or 0,
        None if sent_at is None else str(sent_at),
        to_text(entry),
        column(timestamps.read(attributes.get("delete_after"))),
        now,
    )


def _key(wanted: object) -> str:
    try:
        return str(uuid.UUID(str(wanted)))
    except ValueError:
        return str(uuid.uuid4())
