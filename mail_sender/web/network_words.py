"""What the network did to an exchange, in the words that every client uses."""

import socket
from collections.abc import Iterable

from mail_sender.errors import causes

NO_CONNECTION = "no connection within the time allowed"
NO_ANSWER = "no answer in time"
PROXY_REFUSES = "the proxy refuses"
CUT = "the connection was cut"

Kinds = Iterable[tuple[type[BaseException], str]]


def detail(error: BaseException, kinds: Kinds) -> str:
    """Return what is said of an error: the first of these kinds decides that it, or what caused it, is of."""
    found = list(causes(error))
    for kind, words in (
        (socket.gaierror, "its name cannot be resolved"),
        (ConnectionRefusedError, "connection refused"),
        *kinds,
    ):
        if any(isinstance(cause, kind) for cause in found):
            return words
    return type(error).__name__
