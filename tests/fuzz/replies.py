"""What a relay says, octet by octet, at each step: a mail ends in a verdict, and the verdict in what follows from it.

The relay is a transport of this module's own in the place of sockets and TLS, and time is made up, so that an hour of
silence costs nothing. All else is the sender's: protocol, conversation, connection, and the pure decisions after it.
"""

import asyncio
import base64
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import timedelta
from functools import cache
from typing import Any
from unittest.mock import patch

from hypothesis import strategies as st
from structlog.testing import capture_logs

from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.message import CredentialReset, IntentId
from mail_sender.names.secret import Secret
from mail_sender.relay import addresses, opening, pool
from mail_sender.relay.config import RelayConfig
from mail_sender.relay.connection import Connection
from mail_sender.relay.known import KnownRelay
from mail_sender.relay.protocol import RelayProtocol
from mail_sender.relay.redaction import LONGEST_READ
from mail_sender.relay.relay_url import Security
from mail_sender.relay.seen import Seen
from mail_sender.sender import settle
from mail_sender.sender.config import RetryConfig
from mail_sender.sender.own_fault import Suspicions
from mail_sender.verdict import Accepted, RelayDown, Stage, Verdict
from tests.fuzz import odd, secrets
from tests.fuzz.fake_relay import GOOD, FakeRelay
from tests.fuzz.target import Target
from tests.support.known_replies import KNOWN
from tests.support.samples import NOW, delivery, message
from tests.support.virtual_time import VirtualLoop

USER = "mail-sender"
NAME = "Ellinor Quist"
RECIPIENT = "ellinor.quist@example.com"
_MAILS = MailConfig("Example Identity", "https://idm.example.com", "idm@example.com", "support@example.com")

_QUOTED = (
    secrets.PASSWORD, secrets.INTENT, secrets.INTENT.upper(), " ".join(secrets.INTENT.split("-")), f"https://idm.example.com/ui/reset?token={secrets.INTENT}",
    base64.b64encode(f"\0{USER}\0{secrets.PASSWORD}".encode()).decode(), base64.b64encode(secrets.PASSWORD.encode()).decode(), secrets.PASSWORD.encode().hex(),
    f"AUTH PLAIN {base64.b64encode(f'{chr(0)}{USER}{chr(0)}{secrets.PASSWORD}'.encode()).decode()}", "=".join(secrets.INTENT), RECIPIENT, NAME, secrets.TOKEN,
)  # fmt: skip
_CODES = (b"000", b"100", b"199", b"200", b"211", b"220", b"221", b"235", b"250", b"251", b"252", b"334", b"354", b"400", b"421", b"431", b"450", b"451", b"452", b"454", b"500",
    b"501", b"502", b"503", b"504", b"521", b"530", b"534", b"535", b"538", b"550", b"551", b"552", b"553", b"554", b"555", b"556", b"599", b"600", b"999", b"25", b"2500", b"-1", b"+25", b"\xd9\xa2")  # fmt: skip
_TEXTS = [reply.text.encode(errors="surrogateescape") for _, _, reply in KNOWN]
_TOKENS = (*_CODES, b"\r\n", b"\n", b"\r", b"-", b" ", b"\0", b"\xff", b"\x1b[2J", b"\r\n250 ", b"250-", b"x" * 600, b"y" * 9_000, b"250-x\r\n" * 200, b"334 ", b"4.7.1 ", b"5.1.1 ",
    b"421 4.3.2 ", b"AUTH", b"AUTH=LOGIN", b"STARTTLS", b"HTTP/1.1 400 Bad Request\r\n", b"\x15\x03\x01\x00\x02\x02\x46", b"try again in 9999999 seconds")  # fmt: skip

_words = st.one_of(
    st.sampled_from(_TEXTS), st.sampled_from(_QUOTED).map(str.encode), st.binary(max_size=30), odd.texts.map(lambda text: text.encode(errors="replace"))
)  # fmt: skip


@st.composite
def _reply(draw: st.DrawFn, verb: str) -> bytes:
    """Return a reply: a good one, a known refusal, one of a few lines, or a damaged one."""
    good = GOOD[verb]
    match draw(st.sampled_from(("known", "quoting", "lines", "damaged", "good", "noise"))):
        case "known":
            _, _, reply = draw(st.sampled_from(KNOWN))
            return f"{reply.code} {reply.text}\r\n".encode(errors="surrogateescape")
        case "quoting":
            words = draw(st.lists(st.sampled_from(_QUOTED), min_size=1, max_size=3))
            return f"{draw(st.sampled_from((250, 421, 450, 535, 550, 554)))} {draw(st.sampled_from(' ,<'))}{' '.join(words)}\r\n".encode()
        case "lines":
            code = draw(st.sampled_from((good[:3], *_CODES)))
            lines = draw(st.lists(_words, min_size=1, max_size=4))
            end = draw(st.sampled_from((b"\r\n", b"\r\n", b"\n", b"\r", b"\n\n")))
            return b"".join(code + (b" " if line is lines[-1] else b"-") + line + end for line in lines)
        case "damaged":
            return draw(odd.damaged(good, _TOKENS))
        case "noise":
            return draw(st.binary(max_size=60))
        case _:
            return good + draw(st.sampled_from((b"", good, b"421 4.3.2 bye\r\n", b"x")))


def _answer(verb: str) -> st.SearchStrategy[dict[str, Any]]:
    """Return what follows a command: a reply in pieces of so many octets, and then whether the relay hangs up."""
    return st.fixed_dictionaries({
        "reply": _reply(verb), "pieces": st.sampled_from((10**6, 10**6, 1, 5)), "cut": st.sampled_from((False, False, False, True))
    })  # fmt: skip


def _some(verb: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    return st.lists(_answer(verb), min_size=1, max_size=2)


_answers = st.one_of(
    *(st.fixed_dictionaries({verb: _some(verb)}) for verb in GOOD if verb not in {"RSET", "QUIT", "RESPONSE"}),
    st.fixed_dictionaries({"AUTH": st.just([{"reply": b"334 VXNlcm5hbWU6\r\n", "pieces": 10**6, "cut": False}]), "RESPONSE": _some("RESPONSE")}),
    st.fixed_dictionaries({"RCPT": _some("RCPT"), "RSET": _some("RSET")}),
    st.fixed_dictionaries({}, optional={verb: _some(verb) for verb in GOOD}),
)  # fmt: skip
cases = st.fixed_dictionaries({
    "security": st.sampled_from([one.name for one in Security]),
    "login": st.sampled_from((True, True, False)),
    "speaks_tls": st.booleans(),
    "pipelining": st.booleans(),
    "mails": st.sampled_from((1, 2, 3)),
    "answers": _answers,
})  # fmt: skip


def check(case: dict[str, Any]) -> str:
    """Send mails through the relay; return the name of the last verdict, and the stage that it is of."""
    loop = _loop()
    with capture_logs() as logged:
        verdicts = loop.run_until_complete(_sent(case))
    unknown = () if _has_login(case) else (secrets.PASSWORD,)
    _require_clean(unknown, *(text for event in logged for text in _texts(event)))
    suspicions, end = Suspicions(), ""
    for number, verdict in enumerate(verdicts):
        one = delivery(message(RECIPIENT, number=number + 1), attempts=number)
        judged = suspicions.judge(one.key, verdict, float(number))
        line = settle.attempt(judged, NOW, 0.1)
        settle.outcome(one, judged, NOW, RetryConfig(5, timedelta(days=1)), lambda: 0.5)
        _require_clean(unknown, str(judged), line.reply, line.queue_id or "", *_texts(asdict(verdict)))
        end = f"{verdict.name} {line.stage}"
    return end


async def _sent(case: dict[str, Any]) -> list[Verdict]:
    relays: list[FakeRelay] = []
    with _in_place_of_sockets(case, relays):
        config, known = _config(case), KnownRelay(Security[case["security"]], lambda _: None)
        connection = Connection(config, _context(), known, Seen([_mail()]))
        verdicts = []
        for _ in range(case["mails"]):
            dots = sum(relay.dots for relay in relays)
            verdict = await connection.send(_mail(), _nothing)
            has_gone = sum(relay.dots for relay in relays) > dots
            assert has_gone or not isinstance(verdict, Accepted), "a mail that was not sent is called accepted"
            is_unsure = isinstance(verdict, RelayDown) and verdict.stage is Stage.DOT and verdict.reply is None
            assert not is_unsure, "a mail that may have arrived is called not sent"
            is_plain = case["security"] == "PLAIN"
            assert is_plain or all(one.is_encrypted for one in relays if one.dots), "a mail went without TLS"
            verdicts.append(verdict)
        await connection.close()
        await asyncio.sleep(0)
    return verdicts


@contextmanager
def _in_place_of_sockets(case: dict[str, Any], relays: list[FakeRelay]) -> Iterator[None]:
    place = (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", 465))

    async def looked_up(*_: object) -> list[Any]:
        return [place]

    async def connected(waiting: list[Any]) -> tuple[None, Any]:
        return None, waiting.pop(0)

    async def protocol(_: object, __: object, *, encrypted: bool) -> RelayProtocol:
        if encrypted and case["security"] != "IMPLICIT" and not case["speaks_tls"]:
            raise TimeoutError  # as a relay does that waits for a command
        made = RelayProtocol(asyncio.get_running_loop())
        relays.append(FakeRelay(case, made, encrypted=encrypted))
        made.connection_made(relays[-1])
        relays[-1].greet()
        return made

    async def start_tls(transport: FakeRelay, *_: object, **__: object) -> FakeRelay:
        transport.is_encrypted = True
        return transport

    with ExitStack() as stack:
        stack.enter_context(patch.object(addresses, "of", looked_up))
        stack.enter_context(patch.object(addresses, "connected", connected))
        stack.enter_context(patch.object(opening._Candidate, "_protocol", protocol))
        stack.enter_context(patch.object(_loop(), "start_tls", start_tls))
        yield


async def _nothing() -> None:
    pass


def _has_login(case: dict[str, Any]) -> bool:
    """Say whether there is a login: without TLS there never is."""
    return bool(case["login"]) and case["security"] != "PLAIN"


def _config(case: dict[str, Any]) -> RelayConfig:
    login = (USER, Secret(secrets.PASSWORD)) if _has_login(case) else (None, None)
    return RelayConfig("relay.example", 465, Security[case["security"]], "client.example", *login)


@cache
def _mail() -> Mail:
    reset = CredentialReset(NAME, IntentId(secrets.INTENT), NOW + timedelta(hours=1))
    return render(message(RECIPIENT, content=reset, number=1), RECIPIENT, _MAILS, NOW)


@cache
def _context() -> Any:
    return pool.context(RelayConfig("relay.example", 465, Security.IMPLICIT, "client.example"))


@cache
def _loop() -> VirtualLoop:
    return VirtualLoop()


def _texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for one in value.values() for text in _texts(one)]
    return [value] if isinstance(value, str) else []


def _require_clean(unknown: Collection[str], *texts: str) -> None:
    """Raise unless each text can be printed and stored, is short, and holds no secret but those that nobody knows."""
    secrets.require_hidden(*texts, but=unknown)
    for text in texts:
        assert text.isprintable(), f"it would be obeyed by a terminal: {text!r}"
        assert len(text) <= LONGEST_READ
        assert RECIPIENT not in text
        assert NAME not in text
        text.encode()


TARGET = Target(
    "replies",
    cases,
    check,
    frozenset(
        {
            "accepted dot",
            "refused rcpt",
            "deferred rcpt",
            "uncertain dot",
            "relay_down auth",
            "relay_down banner",
            "relay_down starttls",
        }
    ),
)
