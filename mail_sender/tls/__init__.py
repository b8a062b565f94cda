"""Tls: encrypted connections to the identity server and to the relay, and what their faults mean.

It takes the PEM files that the configuration names, and gives contexts that verify the peer. A handshake that fails
becomes a sentence with what mends it.

Open `contexts` first: it makes the contexts. `pem` reads certificates and keys, whatever stands around them. `pins`
know a peer by its fingerprints. `fault` is the table of what can be wrong.
"""
