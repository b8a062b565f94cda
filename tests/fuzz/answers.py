"""What an identity server answers, octet by octet: each call ends in what it promises, or in a `ServerFault`.

The answers are those of a real Kanidm, damaged, in each form that HTTP has for them. Nothing is between them and the
source but the connection's own parser: a network of this module's own hands out an answer for each connection. Of what
was listed or read, mails are made.
"""

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import cache
from typing import Any
from uuid import UUID

from hypothesis import strategies as st
from structlog.testing import capture_logs

from mail_sender.errors import MessageGone, ServerFault
from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import Unrenderable, render
from mail_sender.message import Found, Listing, Message
from mail_sender.names.secret import Secret
from mail_sender.source.base import Standing
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource
from tests.fuzz import odd, secrets
from tests.fuzz.network import Network
from tests.fuzz.target import Target

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
ONE = UUID("ae9755fd-8069-443f-b635-f23eca310227")
CALLS = ("standing", "list", "read", "mark")
_MAIL = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")

_ENTRY = {
    "schemas": ["urn:ietf:params:scim:schemas:kanidm:sync:1:message"],
    "id": str(ONE),
    "class": ["message", "object"],
    "send_after": "2026-11-20T00:00:00Z",
    "delete_after": "2026-11-27T00:00:00Z",
    "mail_destination": [
        {"primary": True, "value": "ellie@example.com"},
        {"primary": False, "value": "e@example.net"},
    ],
    "message_template": {
        "CredentialResetV1": {"display_name": "Ellie", "intent_id": secrets.INTENT, "expiry_time": 1_795_867_200}
    },
}
_OTHER = {**_ENTRY, "id": str(UUID(int=2)), "message_template": {"TestMessageV1": {"display_name": "Bob"}}}
_SELF = {
    "youare": {
        "attrs": {"name": ["mail-sender"], "memberof": ["idm_message_senders@localhost", "idm_all_accounts@x"]}
    }
}
_GOOD: dict[str, list[Any]] = {
    "standing": [_SELF, {"extAccessCheck": {"modifyPresent": {"Allow": ["name"]}}}],
    "list": [{"schemas": [], "totalResults": 2, "resources": [_ENTRY, _OTHER]}],
    "read": [_ENTRY],
    "mark": [None],
}
_KEYS = sorted({*_ENTRY, *_SELF, "attrs", "name", "memberof", "value", "primary", "TestMessageV1", "CredentialResetV1", "display_name",
    "intent_id", "expiry_time", "sent_at", "totalResults", "resources", "extAccessCheck", "modifyPresent", "NewV7"})  # fmt: skip
_ADDRESSES = (
    "é@example.com",
    '"a b"@example.com',
    "a@b.c\r\nBcc: x@y.z",
    "x" * 990 + "@b.c",
    "a@" + "b." * 200,
    "e\u0301@example.com",
    "a@[IPv6:::1]",
    "=?utf-8?q?x?=@b.c",
)
_TIMES = (
    "2026-11-20T00:00:00",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59-23:59",
    "2026-11-20T24:00:00Z",
    0,
    -1,
    2**40,
    "1e10",
    1e300,
    "P1D",
)
_leaves = st.one_of(
    odd.plain,
    st.none(),
    st.sampled_from(_ADDRESSES),
    st.sampled_from(_TIMES),
    st.sampled_from((secrets.TOKEN, secrets.INTENT)),
)

_TOKENS = (
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"\\udfff", b"\0", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"null", b"NaN", b"-Infinity",
    b"1e999", b"9" * 5_000, b"[" * 3_000, b'{"a":' * 3_000, b"[" * 60_000, b" " * 5_000, b'"resources":[', b'"totalResults":true', b'"id":', b"<html>", b"\n",
    b"HTTP/1.1 200 OK\r\n\r\n", b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"fffffffffffffffff\r\n", b"-1\r\n",
)  # fmt: skip
_ERRORS: tuple[Any, ...] = (
    "nomatchingentries",
    "notauthenticated",
    "sessionexpired",
    "accessdenied",
    "backend",
    {"invalidattribute": "x"},
    {"error": "x"},
    {"detail": secrets.TOKEN},
    secrets.TOKEN,
    "",
    [],
    0,
)
_REFUSALS = ((404, "nomatchingentries"), (401, "sessionexpired"), (403, "accessdenied"), (500, "backend"))
_STATUSES = (
    100,
    101,
    103,
    200,
    200,
    204,
    206,
    301,
    304,
    400,
    401,
    403,
    404,
    408,
    413,
    418,
    429,
    500,
    500,
    502,
    503,
    504,
    599,
    600,
    999,
)
_headers = st.lists(
    st.one_of(
        st.tuples(st.just("retry-after"), st.sampled_from(("5", "-5", "1e9", "9" * 400, "²", "٣", "Fri, 31 Dec 9999 23:59:59 -2359", "Sun, 06 Nov 1994 08:49:37 GMT", "x", ""))),
        st.tuples(st.just("date"), st.sampled_from(("Sat, 21 Nov 2026 12:00:00 GMT", "Mon, 01 Jan 0001 00:00:00 +2359", "1", "Fri, 31 Dec 9999 23:59:59 -2359", "Mon, 99 Foo 2026 99:99:99"))),
        st.tuples(st.just("content-type"), st.sampled_from(("application/json", "text/html", "application/json; charset=utf-16", "x; charset=hex", "x; charset=\xff", "a/b; charset=idna", "a/b;charset=\"", "a/b; charset*=utf-8''x", "text/html; charset=undefined"))),
        st.tuples(st.just("content-encoding"), st.sampled_from(("gzip", "deflate", "br", "zstd", "gzip, gzip", "identity", "x-gzip", "GZIP", "\xff"))),
        st.tuples(st.sampled_from(("x-kanidm-version", "set-cookie", "location", "connection", "upgrade", "trailer", "x-kanidm-opid")), odd.texts),
    ),
    max_size=4,
)  # fmt: skip


def _octets(status: int, headers: Iterable[tuple[str, str]], body: bytes, form: str) -> bytes:
    """Return an answer as HTTP/1.1 has it."""
    lines = [f"HTTP/1.1 {status} x", *(f"{name}: {''.join(text.split(chr(10)))}" for name, text in headers)]
    match form:
        case "length":
            lines.append(f"content-length: {len(body)}")
        case "too long" | "too short":
            lines.append(f"content-length: {len(body) + (7 if form == 'too long' else -7)}")
        case "chunked":
            lines.append("transfer-encoding: chunked")
            half = len(body) // 2
            body = b"".join(
                b"%x\r\n%s\r\n" % (len(part), part)
                for part in (body[:half], body[half:], b"")
                if part or not body[half:]
            )
        case _:
            lines.append("connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body


def _packed(body: bytes, coding: str) -> bytes:
    return gzip.compress(body) if "gzip" in coding.lower() else zlib.compress(body) if "deflate" in coding else body


@st.composite
def _answers(draw: st.DrawFn, call: str) -> list[bytes]:
    """Return what is said to a call, to each of its requests in turn; the last one for good."""
    made = []
    for good in [*_GOOD[call], *_GOOD[call][-1:] * draw(st.integers(0, 2))]:
        headers = draw(_headers)
        match draw(st.sampled_from(("changed", "changed", "damaged", "error", "noise"))):
            case "error":
                pair = st.tuples(st.sampled_from(_STATUSES), st.sampled_from(_ERRORS))
                status, error = draw(st.one_of(st.sampled_from(_REFUSALS), pair))
                body = json.dumps(error).encode()
            case "noise":
                status, body = draw(st.sampled_from(_STATUSES)), draw(st.binary(max_size=200))
            case "damaged":
                status, body = 200, draw(odd.damaged(json.dumps(good).encode(), _TOKENS))
            case _:
                changed = (
                    draw(odd.changed(good, _KEYS, _leaves, 3))
                    if isinstance(good, dict)
                    else draw(odd.variants(good, _leaves))
                )
                status, body = 200, json.dumps(changed).encode()
        coding = dict(headers).get("content-encoding", "")
        if draw(st.booleans()):
            body = _packed(body, coding)
        form = draw(st.sampled_from(("length", "length", "chunked", "too long", "too short", "close")))
        octets = _octets(status, headers, body, form)
        made.append(draw(odd.damaged(octets, _TOKENS, 2)) if draw(st.integers(0, 9)) == 0 else octets)
    return made


@st.composite
def _cases(draw: st.DrawFn) -> dict[str, Any]:
    call = draw(st.sampled_from(CALLS))
    return {"call": call, "answers": draw(_answers(call)), "pieces": draw(st.sampled_from((1, 7, 10**6)))}


def check(case: dict[str, Any]) -> str:
    """Make the call, and mails of what comes of it."""
    loop, source = _loop_and_source()
    network = Network(case["answers"], case["pieces"])
    source._https._network = network  # type: ignore[assignment]  # it has what is asked of one
    with capture_logs() as logged:
        end = loop.run_until_complete(_ended(source, case["call"]))
    secrets.require_hidden(*map(str, logged), *_shown(end))
    assert network.connections <= 2_100, "it asks without end"
    for message in _messages(end):
        _mailed(message)
    return f"{case['call']}: {_name(end)}"


async def _ended(source: KanidmSource, call: str) -> object:
    try:
        match call:
            case "standing":
                return await source.standing()
            case "list":
                return await source.list_ready(NOW)
            case "read":
                return await source.read(ONE)
        await source.mark_sent(ONE)
    except (ServerFault, MessageGone) as fault:
        return fault
    finally:
        assert source.facts is not None
    return None


def _name(end: object) -> str:
    return end.kind.value if isinstance(end, ServerFault) else "marked" if end is None else type(end).__name__


def _shown(end: object) -> list[str]:
    """Return what is said of an end: in the log, the status, and on a terminal."""
    match end:
        case ServerFault():
            return [str(end), end.detail, end.advice]
        case Standing():
            return [repr(end)]
        case Listing():
            return [repr(end.odd)]
        case _:
            return []


def _messages(end: object) -> list[Message]:
    return list(end.messages[:3]) if isinstance(end, Listing) else [end.message] if isinstance(end, Found) else []


def _mailed(message: Message) -> None:
    """Make the mails of a message: each has its headers, or a sentence says why there is none."""
    assert message.deadline.tzinfo is not None
    for recipient in message.recipients[:2]:
        if message.content.kind not in {"test_message_v1", "credential_reset_v1"}:
            return
        try:
            mail = render(message, recipient, _MAIL, NOW)
        except Unrenderable as error:
            secrets.require_hidden(str(error))
        else:
            secrets.require_hidden(repr(mail))
            assert max(map(len, mail.content.split(b"\r\n"))) <= 998


@cache
def _loop_and_source() -> tuple[asyncio.AbstractEventLoop, KanidmSource]:
    return asyncio.new_event_loop(), KanidmSource(SourceConfig("http://idm.example.com", Secret(secrets.TOKEN)))


_ENDS = (
    "standing: Standing", "standing: token_without_group", "list: Listing", "read: Found", "read: MessageGone", "mark: marked",
)  # fmt: skip
TARGET = Target("answers", _cases(), check, frozenset(_ENDS))
