"""The two kinds of refusals: a sentence for a person, or a status and a body for a client."""

from __future__ import annotations


class StubError(Exception):
    """A sentence for the person at the terminal: what happened, where, what to do. Exit code 1."""


class OperationError(Exception):
    """Kanidm's error answer: a status and JSON, text or an object of one key (docs/kanidm-wire.md, Error bodies)."""

    def __init__(self, status: int, body: object) -> None:
        super().__init__(body)
        self.status = status
        self.body = body


class RejectedRequest(Exception):
    """A path, query or body that cannot be read: plain text (docs/kanidm-wire.md, Error bodies)."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


NO_MATCH = "nomatchingentries"


def not_found() -> OperationError:
    """Return what Kanidm answers for an unknown entry, and for one that the caller may not see."""
    return OperationError(404, NO_MATCH)


def access_denied() -> OperationError:
    """Return what Kanidm answers to a caller who sees the entry but may not change it."""
    return OperationError(403, "accessdenied")
