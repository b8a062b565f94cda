"""A stub identity server: Kanidm's message queue, a TLS relay that catches the mail, and a page that shows both.

It is for people without a Kanidm, and for tests. It imports nothing from `mail_sender`, so that two readings of
Kanidm's API check each other. The rooms, from the top; each imports only rooms below it::

    cli/            what people type: `serve`, and the commands that speak to a running stub
    service         everything that `serve` runs, in one event loop; open this first
    startup/        what a start binds, writes and prints
    api/            Kanidm's HTTP API and its login
    page/           the web page that shows queue and mail
    relay/          SMTP over TLS, and the mails that it took
    misbehaviour/   what goes wrong on demand; the API, the relay and the queue ask it
    queue/          the entries of the message queue
    certificates/   the CA and what it signs
    identity/       accounts, people, tokens
    folder/         the folder DIR, in which all of it is kept
    http_server, timestamps, errors
"""
