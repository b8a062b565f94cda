-- What the senders know of a relay together; times are the database's own clock's. The name is a digest of the relay and
-- its login under the token of the identity server: nobody can try passwords against it who has not got that.
CREATE TABLE relay (
    name      text             PRIMARY KEY,
    wait      double precision,            -- NULL: it is not known to be down
    failed_at timestamptz,
    retry_at  timestamptz,
    stage     text,
    detail    text,
    advice    text,
    worked_at timestamptz,                 -- when a mail last went through, to a minute or so
    tried_by  uuid,                        -- who may try it now, and
    try_until timestamptz,                 -- until when nobody else may
    reported_at   timestamptz      NOT NULL,
    CHECK ((wait IS NULL) = (failed_at IS NULL) AND (wait IS NULL) = (retry_at IS NULL))
);
