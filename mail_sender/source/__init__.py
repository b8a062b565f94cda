"""Where messages come from: the queue of an identity server.

In: the server's address and our token. Out: the messages that are ready, one message when asked for it, our standing
with the server; and the mark that a message is sent. Every fault is a `ServerFault`.

Open `base` first: it says what a source promises. `kanidm` does it over HTTPS (docs/kanidm-wire.md), `answers` says
what statuses mean, `wire` reads Kanidm's JSON. `dry_run` is a source that marks nothing.
"""
