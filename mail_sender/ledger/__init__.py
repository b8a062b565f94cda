"""What became of each message for each recipient; it survives a kill, a full disk and an unreachable server.

In: listed messages, and what each attempt came to. Out: the deliveries that are due, the messages that must still be
marked as sent, and what an operator asks for.

Open `base` first: it says what a ledger promises. `states` has the states and the moves between them. `sqlite` keeps
the promises, on the thread of `writer`; `company` has changes share a commit. `connection` has the file, with a
`reserve` for a full disk and the words of `sqlite_faults`; `migrations` makes the tables (`schema`), `admission`
takes up messages, `moves` writes what a delivery becomes, `due`, `search` and `rows` read. `state_folder` says where
the file lies, `own_files` what may lie there, `lock` who may open it. `dry_run` is the ledger of a dry run.
"""
