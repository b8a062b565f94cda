-- Who has a message in hand whose last delivery has ended.

ALTER TABLE message
    ADD COLUMN completed_by uuid -- the replica that marks it, as long as it lives; NULL: any
;
