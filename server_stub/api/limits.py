"""How much a caller may find before Kanidm gives up with `"backend"` (docs/kanidm-wire.md, Listing the queue).

A service account is stopped only by a very long queue; a person by a list of a thousand, even when only a page of it
was asked for.
"""

from __future__ import annotations

from server_stub.api.access import Caller
from server_stub.errors import OperationError

UNSENT = 16_384
PERSON_UNSENT = 2_048
PERSON_READY = 1_024
PERSON_LISTED = 1_023


def check_unsent(caller: Caller, unsent: int) -> None:
    """Raise OperationError 500 where there are too many unsent messages to look for the ready ones among them."""
    if unsent >= (PERSON_UNSENT if caller.is_person else UNSENT):
        raise _given_up()


def check_ready(caller: Caller, ready: int) -> None:
    """Raise OperationError 500 where too many messages are ready for a person."""
    if caller.is_person and ready > PERSON_READY:
        raise _given_up()


def check_listed(caller: Caller, matching: int) -> None:
    """Raise OperationError 500 where too many messages match for a person, on whichever page."""
    if caller.is_person and matching > PERSON_LISTED:
        raise _given_up()


def _given_up() -> OperationError:
    return OperationError(500, "backend")
