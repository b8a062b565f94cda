"""A token's own words: when it ends and what it may do, read as Kanidm writes them, and nothing where it is other."""

import base64
import json
from datetime import UTC, datetime

import pytest

from mail_sender.names.secret import Secret
from mail_sender.source.token import Claims, claims

END = datetime(2026, 12, 24, 18, tzinfo=UTC)


def token(payload: object) -> Secret:
    part = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return Secret(f"aGVhZGVy.{part}.c2lnbmF0dXJl")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"expiry": None, "purpose": "readwrite"}, Claims(None, may_write=True, is_persons=False)),
        ({"expiry": END.timestamp(), "purpose": "readonly"}, Claims(END, may_write=False, is_persons=False)),
        (
            {"expiry": None, "purpose": {"readwrite": {"expiry": None}}, "session_id": "x"},
            Claims(None, may_write=True, is_persons=True),
        ),
        ({}, Claims(None, may_write=None, is_persons=False)),
        ({"purpose": ["readwrite"]}, Claims(None, may_write=None, is_persons=False)),
    ],
)
def test_what_a_token_says_is_read(payload: object, expected: Claims) -> None:
    """Service accounts' tokens and a person's login differ in their purpose."""
    assert claims(token(payload)) == expected


@pytest.mark.parametrize(
    "payload", [[], "text", {"expiry": "soon"}, {"expiry": 1e300}, {"expiry": float("nan")}, None]
)
def test_another_payload_says_nothing(payload: object) -> None:
    """A newer Kanidm may write others: that is no fault."""
    assert claims(token(payload)) is None


@pytest.mark.parametrize("text", ["opaque", "a.b", "a.!!.c", "a.ä.c", "a.eyJ9.c", ".."])
def test_what_is_no_jws_says_nothing(text: str) -> None:
    """Whoever has such a token still gets the server's own word."""
    assert claims(Secret(text)) is None
