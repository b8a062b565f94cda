"""mail-sender: carries an identity server's mail.

    identity server              mail-sender                                                    mail relay
    (Kanidm's queue)   poll ->   ledger -> plan -> attempt -> settle -> ledger       ->         (SMTP over TLS)
                                           (current message -> mail -> claim -> handover)
                       <- acknowledge <- ledger

`sender/worker.py` is the flow, to be read first. Each folder is a room, and its `__init__` says what is in it;
docs/architecture.md shows all of them, and CONTRIBUTING.md has the words.
"""

__version__ = "1.0.0"
