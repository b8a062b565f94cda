"""F15: a relay and a server that quote whatever they heard, in every reply and in many spellings.

All families look for secrets in what they leave behind (I7); here everybody does their worst to put some there. Looked
at are the log at debug, the ledger's files as they lie there, command lines, what the commands print, and exceptions;
and not only for whole secrets, but for pieces of them as well.
"""

import asyncio
import base64
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import quote

from server_stub.misbehaviour.exchange import Exchange, Fault
from tests.faults.api_faults import PATHS, READ, READY, SENT, Met, start_impatient
from tests.faults.family import Case, Family, Play
from tests.faults.installed import command_line, flags
from tests.faults.rig import INTENT, NAME, Rig
from tests.faults.rig_behaviour import HEALTHY, Behaviour, Step, deferring
from tests.faults.rig_place import MAIL, PASSWORD, USERNAME
from tests.faults.rig_tap import tapped
from tests.support.sender import MAIL_SENDER

SHORTEST_PIECE = 10
"""Characters of a secret that nobody may read, wherever they are cut from it."""
LINK = f"{MAIL.instance_url}/ui/reset?token={INTENT}-1"
_PLAIN = base64.b64encode(f"\0{USERNAME}\0{PASSWORD}".encode()).decode()

QUOTES: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "the password": (f"bad password {PASSWORD} for {USERNAME}",),
        "the login in base64": (f"cannot decode AUTH PLAIN {_PLAIN}",),
        "the password in base64": (f"cannot decode {base64.b64encode(PASSWORD.encode()).decode()}",),
        "the password, glued to other words": (f"login={USERNAME}:{PASSWORD};denied",),
        "the password over two lines": (f"bad password {PASSWORD[:20]}", f"{PASSWORD[20:]} for {USERNAME}"),
        "the link": (f"this link is spam: {LINK}",),
        "the link, cut as a mail is folded": (f"line 7: {LINK[:-9]}=", f"{LINK[-9:]} is spam"),
        "the link over two lines": (f"spam: {LINK[: len(LINK) // 2]}", f"{LINK[len(LINK) // 2 :]} end"),
        "the intent, glued": (f"x{INTENT}-1y",),
        "the intent in percents": (f"spam: {quote(LINK, safe='')}",),
        "the intent in base64": (f"part 1: {base64.b64encode(LINK.encode()).decode()}",),
        "the intent in capitals": (f"SPAM: {LINK.upper()}",),
        "the name": (f"no such person: {NAME} <person-1@example.com>",),
        "the name in capitals": (f"no such person: {NAME.upper()}",),
        "the name over two lines": (f"no such person: {NAME[:12]}", f"{NAME[12:]} here"),
        "the name, as HTML has it": (f"Hello{NAME.replace(' ', '&nbsp;')},",),
        "everything at once": (f"{PASSWORD} {LINK} {NAME} {_PLAIN} person-1@example.com",),
        "everything, after 4,000 characters": ("x" * 4_000 + f" {PASSWORD} {LINK} {NAME}",),
    }
)
_OF_THE_LOGIN = frozenset(name for name in QUOTES if "password" in name or "login" in name)
_STEPS = (Step.AUTH, Step.MAIL, Step.RCPT, Step.DATA, Step.DOT)


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each quote in each reply, and those of server, command line and exceptions."""
    found = [*_of_the_relay(), *_of_the_server()]
    found += [
        (f"an exception in {part}.{method}", partial(crashed, part=part, method=method)) for part, method in _CRASHES
    ]
    found += [("the commands", commands)]
    return [Case(name, play) for name, play in found]


# The relay


def _of_the_relay() -> Iterator[tuple[str, Play]]:
    for name, lines in QUOTES.items():
        for step in _STEPS:
            if step is Step.AUTH and name not in _OF_THE_LOGIN:
                continue  # it has not heard of the mail yet
            for code in (250, 450, 550) if step is Step.DOT else (450, 550):
                yield f"{step} {code} quotes {name}", partial(quoted, step=step, code=code, lines=lines, mail=1)
        if name not in _OF_THE_LOGIN:
            yield (
                f"the MAIL of the next mail quotes {name}",
                partial(quoted, step=Step.MAIL, code=450, lines=lines, mail=2),
            )
            yield (
                f"the next banner quotes {name}",
                partial(quoted, step=Step.BANNER, code=450, lines=lines, mail=1, after=1),
            )


async def quoted(rig: Rig, step: Step, code: int, lines: Sequence[str], mail: int, after: int = 0) -> None:
    """Have one reply quote what the relay heard."""
    texts = [f"{code}-{code // 100}.7.1 {line}" for line in lines]
    reply = "\r\n".join([*texts, f"{code} {code // 100}.7.1 end of quote"]).encode() + b"\r\n"
    odd = Behaviour(replies={step: reply}, from_mail=mail)
    rig.relay.behave = lambda number: (
        Behaviour(mails=1) if number <= after else odd if number <= after + 2 else HEALTHY
    )
    # Two messages for one person go one after the other, and on one connection where that is kept.
    rig.mail("person-1@example.com", reset=True)
    rig.mail("person-1@example.com", reset=True)
    rig.queued = [replace(queued, may_fail=code >= 500) for queued in rig.queued]
    await rig.start()
    await rig.drained()
    await _require_no_piece(rig)


# The server


def _of_the_server() -> Iterator[tuple[str, Play]]:
    for path in PATHS:
        for name, body in _SAID.items():
            for code in (400, 401, 500):
                yield f"{path} {code} says {name}", partial(server_quotes, path=path, code=code, words=body)
    yield (
        "a redirect to where the token stands in the address",
        partial(server_quotes, path=READY, code=302, words=_token),
    )
    yield "an odd entry whose id is a secret", odd_id


def _token(rig: Rig) -> bytes:
    return json.dumps(f"no such token: {rig.api.token.rpartition('.')[2]}").encode()


_SAID: Mapping[str, Callable[[Rig], bytes]] = MappingProxyType(
    {
        "the end of the token": _token,
        "the token as a key": lambda rig: json.dumps({rig.api.token.rpartition(".")[2]: "x"}).encode(),
        "the intent": lambda _: json.dumps(f"{INTENT}-1").encode(),
        "the name in HTML": lambda _: f"<html>{NAME}: {LINK}</html>".encode(),
    }
)


async def server_quotes(rig: Rig, path: str, code: int, words: Callable[[Rig], bytes]) -> None:
    """Have the server's errors quote what it knows."""
    rig.mail(reset=True)
    if path == READ:
        rig.relay.behave = deferring(1)
        rig.place = replace(rig.place, poll="0 0 */6 * * *")
    met = Met(rig, _saying(code, words(rig))).at(path, 2)
    await start_impatient(rig)
    await met.often(1)
    rig.api.mend()
    await rig.drained()
    assert path != SENT or rig.api.marks(rig.queued[0].id)
    await _require_no_piece(rig)


def _saying(code: int, body: bytes) -> Fault:
    async def fault(exchange: Exchange) -> None:
        await exchange.answer(code, body, {"location": f"https://evil.example/{quote(body)}"} if code == 302 else {})

    return fault


async def odd_id(rig: Rig) -> None:
    """Have an entry's fields be mixed up."""
    rig.api.store.add([{"id": f"{INTENT}-9", "message_template": {NAME: {}}}, {f"{INTENT}-9": PASSWORD}])
    rig.mail()
    await rig.start()
    await rig.drained()
    await _require_no_piece(rig)


# Exceptions

_CRASHES = (("transport", "send"), ("ledger", "begin"), ("ledger", "dot"), ("ledger", "settle"), ("source", "read"))


class LoudFault(Exception):
    """A fault of the program, whose text holds all that nobody should read."""


async def crashed(rig: Rig, part: str, method: str) -> None:
    """Have a part raise what no part raises: it is said without what the exception says, and nothing else suffers."""
    met = [0]

    async def before(name: str, _arguments: tuple[Any, ...]) -> None:
        if name == method and not met[0]:
            met[0] += 1
            raise LoudFault(f"{PASSWORD} {LINK} {NAME} {rig.api.token}")

    setattr(rig.wraps, part, lambda wrapped: tapped(wrapped, before=before))
    rig.relay.behave = deferring(1)
    rig.place = replace(rig.place, poll="0 0 */6 * * *")
    rig.mail(reset=True)
    await rig.start()
    await rig.changes.until(lambda: met[0] > 0)
    await rig.changes.until(lambda: " internal_error " in rig.log)
    assert " internal_error " in rig.log, "the fault is not said"
    await rig.stop()  # what was held is tried again at the next start
    await rig.start()
    await rig.drained()
    await _require_no_piece(rig)


# The commands


async def commands(rig: Rig) -> None:
    """Have the installed command meet a relay that quotes, and print all that it has."""
    # What -t has told the relay are the login and an address; of names and links, it knows nothing.
    of_test_mail, of_mail = (
        Behaviour(replies={Step.DOT: f"550 5.6.0 {' '.join(words)}\r\n".encode()})
        for words in ((PASSWORD, _PLAIN), QUOTES["everything at once"])
    )
    rig.relay.behave = lambda number: of_test_mail if number == 1 else of_mail if number == 2 else HEALTHY
    queued = rig.mail("person-1@example.com", reset=True)
    rig.queued = [replace(queued, may_fail=True)]
    files = flags(rig, rig.folder)
    await _run(rig, "-t", "-d", *files, "-t", "operator@example.com")
    await _run(rig, "the sender", "-d", *files, until=" failed ")
    for verb in (["list"], ["list", "-o", "json"], ["show", str(queued.id)], ["show", str(queued.id), "-o", "json"]):
        await _run(rig, f"queue {' '.join(verb)}", *files, "queue", *verb)
    await _require_no_piece(rig)
    rig.queued.clear()  # its rows are dated by the real clock, which tells the oracle nothing


async def _run(rig: Rig, name: str, *words: str | Path, until: str | None = None) -> None:
    """Run the command to its end, or until a word is logged; keep what it says, and its command line."""
    process = await asyncio.create_subprocess_exec(
        *(MAIL_SENDER, *words), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    rig.texts[f"the command line of {name}"] = command_line(process.pid)
    assert process.stdout is not None
    said = b""
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            said += line
            if until and until.encode() in line:
                process.terminate()
        await process.wait()
    rig.texts[f"what {name} says"] = said
    assert b"Traceback" not in said, said.decode()[-1000:]
    assert until is None or until.encode() in said, said.decode()[-1000:]


async def _require_no_piece(rig: Rig) -> None:
    """Look for pieces of the secrets in what was written so far; a name is looked for as a whole, in any case."""
    texts = {**rig.texts, "log": rig.log.encode(), **await rig.home.texts()}
    for where, text in texts.items():
        for secret in (PASSWORD, f"{INTENT}-1", rig.api.token.rpartition(".")[2]):
            for start in range(len(secret) - SHORTEST_PIECE + 1):
                piece = secret[start : start + SHORTEST_PIECE]
                assert piece.encode() not in text, f"{where} holds {piece!r}: {_around(text, piece)}"
        for name in (NAME, NAME.replace(" ", "&nbsp;")):
            assert name.lower().encode() not in text.lower(), (
                f"{where} holds {name!r} in some case: {_around(text.lower(), name.lower())}"
            )
        assert f"{INTENT}-1".lower().encode() not in text.lower(), f"{where} holds the intent in another case"


def _around(text: bytes, piece: str) -> str:
    place = text.find(piece.encode())
    return text[max(0, place - 80) : place + 80].decode(errors="replace")


FAMILY = Family("F15", "secrets that everybody quotes", cases, slice_size=20, together=10)
