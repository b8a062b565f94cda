"""What every HTTP server of this program has in common: whom it answers, and how long a client may take.

In come an ASGI application and a socket that listens; out go responses. Nothing here knows what is shown.
Open `gate` first.
"""
