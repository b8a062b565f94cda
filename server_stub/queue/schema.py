"""The tables of the queue, and how a file made by an older stub becomes one of today's.

Beside the text of an entry stand the columns that decide which entries are listed and when they are purged. `past`
keeps what each entry was before it was changed, so that a list can show the queue as it was some seconds ago.
"""

from __future__ import annotations

import sqlite3
from pathlib import Path

from server_stub import timestamps
from server_stub.errors import StubError

VERSION = 2
SCHEMA = """
BEGIN;
CREATE TABLE message (
    seq        INTEGER PRIMARY KEY,         -- the order of creation, in which everything is listed
    uuid       TEXT    NOT NULL,            -- what the entry is asked for by; made up where it has no id of that form
    ready_at   INTEGER NOT NULL,            -- send_after in nanoseconds; 0 where the entry has none that can be read
    sent_at    TEXT,
    body       TEXT    NOT NULL,
    delete_at  INTEGER,                     -- delete_after in nanoseconds; NULL where the entry has none
    created_at INTEGER NOT NULL DEFAULT 0   -- when it was queued, in nanoseconds
) STRICT;
CREATE TABLE past (
    seq      INTEGER NOT NULL,
    until    INTEGER NOT NULL,              -- the entry was so until then, in nanoseconds
    ready_at INTEGER NOT NULL,
    sent_at  TEXT,
    body     TEXT    NOT NULL
) STRICT;
CREATE TABLE queue (revision INTEGER NOT NULL) STRICT;
INSERT INTO queue VALUES (0);
CREATE INDEX message_by_uuid ON message (uuid);
CREATE INDEX message_unsent ON message (ready_at) WHERE sent_at IS NULL;
CREATE INDEX message_to_purge ON message (delete_at);
CREATE INDEX past_by_seq ON past (seq, until);
CREATE INDEX past_by_age ON past (until);
PRAGMA user_version = 2;
COMMIT;
"""
FROM_1 = """
BEGIN;
ALTER TABLE message ADD COLUMN delete_at INTEGER;
ALTER TABLE message ADD COLUMN created_at INTEGER NOT NULL DEFAULT 0;
UPDATE message SET delete_at = nanoseconds(body ->> '$.delete_after');
CREATE TABLE past (seq INTEGER NOT NULL, until INTEGER NOT NULL, ready_at INTEGER NOT NULL, sent_at TEXT,
                   body TEXT NOT NULL) STRICT;
CREATE TABLE queue (revision INTEGER NOT NULL) STRICT;
INSERT INTO queue VALUES (0);
CREATE INDEX message_to_purge ON message (delete_at);
CREATE INDEX past_by_seq ON past (seq, until);
CREATE INDEX past_by_age ON past (until);
PRAGMA user_version = 2;
COMMIT;
"""
PROBE = """
SELECT seq, uuid, ready_at, sent_at, body, delete_at, created_at, (SELECT revision FROM queue), (SELECT seq FROM past)
FROM message LIMIT 1
"""
LEAST, MOST = -(2**63), 2**63 - 1


def column(time_ns: int | None) -> int | None:
    """Return a time as a column can hold it: the years 1677 to 2262, or the nearer of the two."""
    return None if time_ns is None else min(max(time_ns, LEAST), MOST)


def prepare(connection: sqlite3.Connection, path: Path) -> None:
    """Make the tables, or bring them up to date; `path` is for the sentence.

    Raises StubError for a file of a newer stub, sqlite3.DatabaseError for one that is no queue.
    """
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if not tables:
        connection.executescript(SCHEMA)
    elif version == 1:
        _migrate(connection)
    elif version != VERSION:
        raise StubError(
            f"The queue {path} was made by another version ({version}, not {VERSION}): name another --dir."
        )
    connection.execute(PROBE).fetchall()


def _migrate(connection: sqlite3.Connection) -> None:
    connection.create_function("nanoseconds", 1, lambda text: column(timestamps.read(text)), deterministic=True)
    try:
        connection.executescript(FROM_1)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
