"""Doctor: what stands in the way of mail, found by trying everything but a mail: `mail-sender doctor`.

Each check looks at one thing by the code that real mail goes through, and yields findings: what was seen, whether
that is good, and what to do. No check sends a mail, takes a lock or writes a file, and none needs a running sender.

Open `finding` and `examination` first: what a check yields, and how all of them are run. `subject` is what they look
at, `checks` the table of all checks.
"""
