"""HTTP on both sides: what every server of this program has in common, and one POST to somebody else's.

Of a server, in come an ASGI application and a socket that listens; out go responses. Nothing here knows what is
shown: `gate` says whom it answers, `server` how long a client may take. `post` says something to a server elsewhere,
and `headers` reads what the answer says of time.
"""
