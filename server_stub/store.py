"""The queue on disk: one SQLite table of entries, kept as the JSON that goes out.

Beside the text stand the columns that decide which entries are listed. The journal is a WAL that survives kill -9,
and a second process may write into it: no API of Kanidm could queue what `server-stub queue` queues.
"""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Self

from server_stub import instant
from server_stub.directory import corrupt
from server_stub.entry import Page, to_text
from server_stub.errors import StubError
from server_stub.scim_filter import EVERYTHING, Condition

VERSION = 1
BUSY_SECONDS = 5.0
SCHEMA = """
BEGIN;
CREATE TABLE message (
    seq      INTEGER PRIMARY KEY,  -- the order of creation, in which everything is listed
    uuid     TEXT    NOT NULL,     -- what the entry is asked for by; made up where it has no id of that form
    ready_at INTEGER NOT NULL,     -- send_after in nanoseconds; 0 where the entry has none that can be read
    sent_at  TEXT,
    body     TEXT    NOT NULL
) STRICT;
CREATE INDEX message_by_uuid ON message (uuid);
CREATE INDEX message_unsent ON message (ready_at) WHERE sent_at IS NULL;
PRAGMA user_version = 1;
COMMIT;
"""
INSERT = "INSERT INTO message (uuid, ready_at, sent_at, body) VALUES (?, ?, ?, ?)"
MARK = "UPDATE message SET sent_at = ?1, body = json_set(body, '$.sent_at', ?1) WHERE uuid = ?2"


class Store:
    """The queue. Every method is one transaction; a foreign file raises StubError when it is opened."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    @classmethod
    def open(cls, path: Path, *, create: bool) -> Self:
        """Open the queue at `path`, making it if told so. Raises StubError."""
        mode = "rwc" if create else "rw"
        try:
            connection = sqlite3.connect(f"{path.as_uri()}?mode={mode}", uri=True, timeout=BUSY_SECONDS)
            connection.isolation_level = None
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            _check(connection, path)
        except sqlite3.OperationalError as error:
            raise StubError(f"Cannot open the queue {path} ({error}).") from error
        except sqlite3.DatabaseError as error:
            raise corrupt(path, str(error)) from error
        return cls(connection)

    def close(self) -> None:
        """Close the file; what was written stays."""
        self._connection.close()

    def add(self, entries: Iterable[object]) -> list[str]:
        """Queue entries in their order, all or none, and return their ids. Raises ValueError for what is not JSON."""
        rows = [_row(entry) for entry in entries]
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            self._connection.executemany(INSERT, rows)
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")
        return [row[0] for row in rows]

    def ready(self, now: int) -> list[str]:
        """Return the entries that are unsent and whose `send_after` is strictly before `now`."""
        return self._bodies("sent_at IS NULL AND ready_at < ?", (now,))

    def count_unsent(self) -> int:
        """Return how many entries have no `sent_at`, delayed ones too."""
        return self._count("sent_at IS NULL", ())

    def select(self, condition: Condition = EVERYTHING, page: Page | None = None) -> tuple[list[str], int]:
        """Return the entries that meet `condition`, or a page of them, and how many there are in all."""
        if page is None:
            found = self._bodies(condition.sql, condition.parameters)
            return found, len(found)
        window = (page.count, page.start - 1)
        found = self._bodies(condition.sql, (*condition.parameters, *window), "LIMIT ? OFFSET ?")
        return found, self._count(condition.sql, condition.parameters)

    def get(self, key: str) -> str | None:
        """Return the entry with this id."""
        return next(iter(self._bodies("uuid = ?", (key,))), None)

    def latest(self, count: int) -> tuple[list[str], int]:
        """Return up to `count` entries, newest first, and how many there are in all."""
        found = self._connection.execute("SELECT body FROM message ORDER BY seq DESC LIMIT ?", (count,))
        return [body for (body,) in found], self._count("1", ())

    def mark_sent(self, key: str, now: int) -> bool:
        """Set `sent_at` to `now`, whatever it was; False where there is no such entry."""
        return self._connection.execute(MARK, (instant.write(now), key)).rowcount > 0

    def _bodies(self, where: str, parameters: tuple[str | int, ...], window: str = "") -> list[str]:
        # `where` is ours or the filter compiler's; values are always parameters.
        sql = f"SELECT body FROM message WHERE {where} ORDER BY seq {window}"  # noqa: S608 - see the line above
        return [body for (body,) in self._connection.execute(sql, parameters)]

    def _count(self, where: str, parameters: tuple[str | int, ...]) -> int:
        sql = f"SELECT count(*) FROM message WHERE {where}"  # noqa: S608 - as in _bodies
        return int(self._connection.execute(sql, parameters).fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if version == VERSION:
        connection.execute("SELECT seq, uuid, ready_at, sent_at, body FROM message LIMIT 1").fetchall()
    elif tables:
        raise StubError(
            f"The queue {path} was made by another version ({version}, not {VERSION}): name another --dir."
        )
    else:
        connection.executescript(SCHEMA)


def _row(entry: object) -> tuple[str, int, str | None, str]:
    attributes = entry if isinstance(entry, dict) else {}
    sent_at = attributes.get("sent_at")
    return (
        _key(attributes.get("id")),
        min(instant.read(attributes.get("send_after")) or 0, 2**63 - 1),
        None if sent_at is None else str(sent_at),
        to_text(entry),
    )


def _key(wanted: object) -> str:
    try:
        return str(uuid.UUID(str(wanted)))
    except ValueError:
        return str(uuid.uuid4())
