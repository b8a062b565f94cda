"""A ledger moves from its file into PostgreSQL, or back: `mail-sender ledger copy`.

1. Both ledgers have the same four tables (`tables`), and a row of either is the same values in the end. What belongs
   to a lease alone is left behind. What was processing is given back: whoever starts on the copy settles it as
   interrupted.
2. While a copy runs, no sender uses either ledger, and none can start on one: `in_file` holds the lock of the folder,
   `in_database` the gate (`postgres.gate`).
3. Rows go over in bundles, each table in the order of its key, so that memory stays small. The copy is marked as
   unfinished in the new ledger, which no sender opens before that mark is taken away. The same copy, started again,
   goes on after the last bundle, if what is there is as it is in the old ledger, and else from the beginning.
4. In the end all rows of both are read again and counted, and their digests compared. Only then is the mark taken
   away.

The old ledger is never changed. Open `copy` first; `side` says what either kind of ledger does for it.
"""
