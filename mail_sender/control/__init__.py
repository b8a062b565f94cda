"""How an operator reaches the queue: the commands behind `mail-sender queue`, and the socket of a running sender.

In comes a `Command` (one verb, and which deliveries it means); out go response lines (`response`), ready for JSON.
`client` finds who can answer: a running sender over its control socket (`connection` here, `server` there), or this
process itself if no sender runs (`local_access`). In both cases a `Handler` carries the command out on the ledger.

Open `verbs` first: a table with one row for each verb.
"""
