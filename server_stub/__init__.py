"""A stub identity server: Kanidm's message queue, a TLS relay that catches the mail, and a page that shows both.

For people without a Kanidm and for tests. It imports nothing from the product, so that two readings of
the same wire check each other. The files, in the order in which data meets them::

    cli ── service ──┬── misbehaving_api ── api (parameters, access) ── store ── entry
                     │                  └── login (login_steps, login_attempts, tokens)
                     ├── relay ── door ── conversation ── mailbox
                     └── web (web_gate, web_snapshot, web_actions) ── page/
    directory, identity (accounts, tokens), certificates, people: what is made once and kept
    misbehaviour (api_rule, relay_rule, queue_faults): what goes wrong on demand, asked by all of the above
    queue_client, queue_text: the command-line verbs, which are a client of the above; fill: a long queue
"""
