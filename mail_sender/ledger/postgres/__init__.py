"""The ledger on PostgreSQL, which several replicas share: the database coordinates them, not a protocol of our own.

1. A transaction is a list of statements (`statement`), sent and committed in one round trip (`connection`). The
   server never waits for a client in the middle of one. Nothing is left in a session, so that PgBouncer may stand
   before it.
2. What is begun, dotted and settled at the same time is put together by the `writer`: a few statements for all of it,
   each of which returns what it has changed. What it has not changed is `Fenced`, and nothing else suffers.
3. A claim (`claims`) is a row in the state processing, with a replica and a lease on the database's clock. A beat
   every few seconds prolongs all leases of a replica. Of one mailbox one delivery is in flight: an index has it so.
4. The dot is written only under a claim that stands, whose lease lasts long enough for the dot to go out. A lease
   that ran out lets another replica settle the claim, if its dot is as it was read (`moves`). All these are
   conditions on the one row that is locked: the database decides who was first, and whoever comes second is fenced.
5. What is due is read by each replica for its share of the mailboxes (`due`), so that they do not all try the same.
   Shares spare work; that no mail goes twice rests on the claims alone.
6. Each fault of the database has a kind, words and an advice (`faults`), and is raised at once: who writes decides
   what to do. After a connection failed, the next ones wait for a while (`database`).
7. The tables lie in a schema of their own, made by numbered files under an advisory lock (`migrations`). Their
   columns are those of the ledger's file, with times as whole microseconds, so that a copy between both is exact.

Open `ledger` first. `admission` takes up messages, `reading` and `tally` answer the operator, `target` says where the
database is, and how its server is checked.
"""
