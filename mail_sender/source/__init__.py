"""Where messages come from: the queue of an identity server.

In: the server's address and our token. Out: the messages that are ready, one message when asked for it, our standing
with the server; and the mark that a message is sent. Every fault is a `ServerFault`.

Open `base` first: it says what a source promises. `kanidm` knows Kanidm's paths (docs/kanidm-wire.md), `https` makes
the calls, `network` the connections, `http_connection` says what an answer is. `answers` says what statuses mean,
`decoding` makes text and JSON of octets within bounds, `list_answer` reads a list as it arrives, and `wire` makes
messages of JSON. `dry_run` is a source that marks nothing.
"""
