"""mail-sender: carries an identity server's mail.

    identity server              mail-sender                                                    mail relay
    (Kanidm's queue)   poll ->   ledger -> plan -> attempt -> settle -> ledger       ->         (SMTP over TLS)
                                           (current message -> mail -> claim -> handover)
                       <- acknowledge <- ledger

`sender/worker.py` is the flow, to be read first. Each room is a package, and knows only those below it:

    cli          what people type and read
    preview      what mails look like, before anybody gets one
    control      how an operator's commands reach a running sender
    config       TOML, environment and secrets in, one `Config` out
    sender       the flow: poll, plan, dispatch, attempt, settle, acknowledge; the breaker and the ledger gate
    source       where messages come from, and where they are marked as sent (HTTPS)
    relay        how mails leave: a verdict for each (SMTP over TLS)
    mail         one message made into one mail (pure)
    templating   words and templates of the mails
    ledger       what became of each delivery: the only writer of its state

`wiring` puts concrete parts together, `lifecycle` starts and stops the process.

Words: a *message* is an entry of the server's queue; a *delivery* is one message for one recipient; a *mail* is what
is sent for it, the envelope and the bytes; an *attempt* is one try to send it; a *verdict* is what the relay made of
it; the *breaker* is open while the relay, and no mail, is to blame; a message is *marked* when the server knows that
it is sent.
"""

__version__ = "0.1.0"
