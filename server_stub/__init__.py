"""A stub identity server: Kanidm's message queue, a TLS relay that catches the mail, and a page that shows both.

For people without a Kanidm and for tests. It imports nothing from the product, so that two readings of
the same wire check each other. The files, in the order in which data meets them::

    cli ── service ──┬── api ── parameters, scim_filter, access ── store ── entry
                     ├── relay ── refusals, mailbox
                     └── web
    directory, identity (accounts, tokens), certificates, people: what is made once and kept
    queue_client, queue_text: the command-line verbs, which are a client of the above
"""
