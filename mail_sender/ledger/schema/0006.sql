-- What waits for one recipient, in the order in which it goes: a fresh message does not overtake what is due before it.

CREATE INDEX IF NOT EXISTS delivery_waiting ON delivery (recipient COLLATE NOCASE, next_attempt, send_after, number)
    WHERE state = 'queued';
