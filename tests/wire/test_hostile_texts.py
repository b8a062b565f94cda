"""Whatever octets a relay says, at whatever step: a verdict comes of it, and what is shown of them is clean and short."""

import json
from dataclasses import asdict

import pytest
import structlog

from mail_sender.relay.redaction import LONGEST_READ
from mail_sender.verdict import LONGEST_TEXT, Accepted
from tests.support.certificates import Authority
from tests.support.scripted_relay import ScriptedRelay
from tests.wire.mails import PASSWORD, send, transport

TEXTS = {
    "not UTF-8": "\udcff\udcfe\udc80 \udce9t\udce9 \udced\udca0\udc80",
    "unprintable": f"\x1b[31;1m \x1b]0;title\x07 \x9b2J \x00\x08\x7f \u202eabc\u2066 \u200b\ufeff \u2028 {PASSWORD}",
    "endless": "y" * 3000,
}
REPLIES = {
    "BANNER": ["220 {}", "554 5.7.1 {}", "421-{}\r\n421 {}", "{}"],
    "EHLO": [
        "250-relay.example {}\r\n250 AUTH {}",
        "250-{}\r\n250-{} {}\r\n250 AUTH PLAIN {}",
        "250-AUTH {}\r\n250 {}",
        "550 {}",
    ],
    "STARTTLS": ["454 {}"],
    "AUTH": ["535 5.7.8 {}", "235 {}", "334 {}", "504 {}"],
    "MAIL": ["250 {}", "550 {}", "450 {}"],
    "RCPT": ["250 {}", "550 5.1.1 {}", "450 4.2.2 {}", "5{}"],
    "DATA": ["354 {}", "451 {}"],
    "DOT": ["250 2.0.0 {}", "250 queued as {}", "250 ok id={}", "554 {}", "250-{}\r\n{}\r\n250 {}"],
    "RSET": ["250 {}", "500 {}"],
}


def strings(value: object) -> list[str]:
    """Return every text in a value of dictionaries."""
    if isinstance(value, dict):
        return [text for one in value.values() for text in strings(one)]
    return [value] if isinstance(value, str) else []


CASES = {
    f"{verb}-{name}": (verb, text)
    for verb in REPLIES
    for name, text in TEXTS.items()
    # It takes a second; what cuts it is the same for all stages.
    if name != "endless" or verb in {"BANNER", "DOT"}
}


@pytest.mark.parametrize(("verb", "text"), CASES.values(), ids=CASES)
async def test_whatever_a_relay_says_is_cleaned_before_it_is_shown(
    authority: Authority, verb: str, text: str
) -> None:
    """In the verdict, which is logged, printed and stored, and in what the log says beside it."""
    for reply in REPLIES[verb]:
        said = reply.replace("{}", text)
        scripted: dict[str, str | list[str]] = {verb: said}
        if verb == "RSET":
            scripted["RCPT"] = ["550 no", "250 ok"]
        with (
            ScriptedRelay(scripted, tls=authority.server()) as relay,
            structlog.testing.capture_logs() as logged,
        ):
            way = transport(authority, relay.port)
            verdicts = [await send(way) for _ in range(2)]
            await way.close()
        assert all(len(str(verdict)) <= LONGEST_TEXT * 3 for verdict in verdicts)
        queue_ids = [verdict.reply.queue_id or "" for verdict in verdicts if isinstance(verdict, Accepted)]
        for shown in (*(shown for verdict in verdicts for shown in strings(asdict(verdict))), *queue_ids):
            assert shown.isprintable()
            assert len(shown) <= LONGEST_READ
            assert PASSWORD not in shown
            shown.encode()
        assert PASSWORD not in json.dumps(logged, default=str)
        assert "\\u" not in json.dumps([event for event in logged if event["event"] == "relay_connected"])
        assert max(map(len, (str(event) for event in logged)), default=0) < LONGEST_TEXT + 200
