-- Times are whole microseconds since 1970 in UTC: datetime(next_attempt / 1000000, 'unixepoch') shows them.
-- What never stands here: bodies, links, intent ids, tokens, display names.

CREATE TABLE message (
    number       INTEGER PRIMARY KEY,
    id           TEXT    NOT NULL UNIQUE,
    kind         TEXT    NOT NULL,
    admitted_at  INTEGER NOT NULL,
    delete_after INTEGER NOT NULL,
    complete_at  INTEGER,            -- all deliveries final, one of them sent: to be marked as sent
    marked_at    INTEGER,            -- the server knows
    unsent_at    INTEGER             -- listed again long after its mark, or after it was withdrawn: somebody un-sent it
);
CREATE INDEX message_unmarked ON message (complete_at) WHERE complete_at IS NOT NULL AND marked_at IS NULL;
CREATE INDEX message_delete_after ON message (delete_after);

CREATE TABLE delivery (
    number       INTEGER PRIMARY KEY,
    message      INTEGER NOT NULL REFERENCES message (number) ON DELETE CASCADE,
    recipient    TEXT    NOT NULL,
    state        TEXT    NOT NULL CHECK (state IN (
        'queued', 'processing', 'sent', 'failed', 'abandoned', 'expired', 'withdrawn', 'unknown', 'held'
    )),
    dot          INTEGER NOT NULL DEFAULT 0 CHECK (dot IN (0, 1) AND (dot = 0 OR state = 'processing')),
    claim        INTEGER NOT NULL DEFAULT 0,  -- grows with every attempt and order: who comes late is fenced off
    send_after   INTEGER NOT NULL,
    deadline     INTEGER NOT NULL,
    next_attempt INTEGER NOT NULL,
    attempts     INTEGER NOT NULL DEFAULT 0,
    ambiguous    INTEGER NOT NULL DEFAULT 0,
    copy         INTEGER NOT NULL DEFAULT 0,
    message_id   TEXT,                        -- with date and digest: the mail whose dot may be out
    date         INTEGER,
    digest       TEXT,
    queue_id     TEXT,
    changed_at   INTEGER NOT NULL,
    UNIQUE (message, recipient)
);
CREATE INDEX delivery_due ON delivery (next_attempt, send_after, number) WHERE state = 'queued';
CREATE INDEX delivery_deadline ON delivery (deadline) WHERE state IN ('queued', 'held');
CREATE INDEX delivery_state ON delivery (state, number);
CREATE INDEX delivery_recipient ON delivery (recipient COLLATE NOCASE, number);

CREATE TABLE attempt (
    number   INTEGER PRIMARY KEY,
    delivery INTEGER NOT NULL REFERENCES delivery (number) ON DELETE CASCADE,
    at       INTEGER NOT NULL,
    stage    TEXT    NOT NULL,
    verdict  TEXT    NOT NULL,
    code     INTEGER,
    reply    TEXT    NOT NULL,
    seconds  REAL    NOT NULL
);
CREATE INDEX attempt_delivery ON attempt (delivery, number);
