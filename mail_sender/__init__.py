"""mail-sender: carries an identity server's mail.

    identity server                            mail-sender                              relay
    (Kanidm's queue)   poll ->  admit -> plan -> render -> deliver -> settle   ->   TLS SMTP
                       <- mark_sent  <-  acknowledge <------- ledger ------+

`worker` is the flow, top to bottom. Each stage is a module, or a folder where it has several implementations:

    source       where messages come from, and where they are marked (HTTPS)
    ledger       what became of each message for each recipient; the only writer of delivery state
    plan         what a round does, decided before anything is done (pure)
    render       message to letter (pure)
    deliver      letter to relay; a verdict for each
    settle       what a delivery becomes after a verdict (pure)
    acknowledge  tell the server what is sent, until it has heard it

Words: a *message* is an entry of the server's queue; a *delivery* is one message for one recipient; a *letter* is
the mail of a delivery, with its envelope; a *verdict* is what the relay made of it; the *lane* is the way to the
relay, whose faults are nobody's mail's; a *round* is one poll and what follows from it.
"""

__version__ = "0.1.0"
