-- What a replica tells of itself, and which one polls.

ALTER TABLE replica
    ADD COLUMN pid       bigint  NOT NULL DEFAULT 0,
    ADD COLUMN digest    text    NOT NULL DEFAULT '',   -- a digest of what shapes its mails
    ADD COLUMN carries   boolean NOT NULL DEFAULT true, -- it can mail now, as far as that is up to itself
    ADD COLUMN taking_up bigint                         -- a list comes in parts, all of them admitted as of this time
;

CREATE TABLE poller (
    one         boolean     PRIMARY KEY DEFAULT true CHECK (one),
    replica     uuid        NOT NULL,
    since       timestamptz NOT NULL,
    lease_until timestamptz NOT NULL                    -- by the database's clock; -infinity: given back
);
