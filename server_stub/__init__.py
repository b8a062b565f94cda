"""A stub identity server: Kanidm's message queue, a TLS relay that catches the mail, and a page that shows both.

For people without a Kanidm and for tests. It imports nothing from the product, so that two readings of
the same wire check each other. Where to look, in the order in which data meets it::

    cli ── service ──┬── api/      Kanidm's calls and its login
                     ├── relay/    SMTP over TLS, and the mails that it took
                     ├── page/     what a person looks at
                     └── queue/    the entries; all of the above read or write them
    misbehaviour/    what goes wrong on demand, asked by all of the above

Beside them: what is made once and kept (directory, identity, accounts, tokens, people; certificates, issuer,
client_certificate); what a start binds, writes and says (ports, configs, announcement); the command-line verbs, a
client of the running stub (queue_client, queue_text); and what everybody knows (errors, instant, naming). Imports
point one way: service, page, api and relay, misbehaviour, queue, and last the files beside them.
"""
