-- What the senders have taken of what limits allow them together: mails by quota, and by when they were taken (seconds
-- since 1970 on the database's clock, rounded down to the quota's own step: a second, or a day).
CREATE TABLE allowance (
    name  text   NOT NULL,
    slot  bigint NOT NULL,
    mails bigint NOT NULL CHECK (mails >= 0),
    PRIMARY KEY (name, slot)
);
