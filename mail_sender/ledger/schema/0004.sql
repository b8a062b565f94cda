-- When something began that goes on after a restart, such as the warm-up of one relay.

CREATE TABLE IF NOT EXISTS beginning (
    name TEXT    PRIMARY KEY,
    at   INTEGER NOT NULL
);
