"""Kanidm's HTTP API, as far as its message queue and its login reach.

In: HTTP requests as ASGI. Out: Kanidm's answers, byte for byte where a capture shows them. `application` has one
method for each call and is the file to open first; `access` decides who is calling; `login` is the way to a token.
"""
