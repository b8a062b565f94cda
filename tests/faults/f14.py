"""F14: hostile input: whatever a queue entry holds, the mail has exactly the headers that were set, or there is none.

The hostile entries lie between good ones, which must not notice. Of each hostile one it is seen what became of it: its mail
arrived and is checked octet by octet, or it failed for good without the relay hearing of it, or it was named as odd.
"""

import hashlib
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from functools import partial
from typing import Any

from mail_sender.ledger.states import FINAL, State
from mail_sender.mail.mail import Mail
from mail_sender.names import address
from tests.faults.family import Case, Family
from tests.faults.hostile import Hostile, examples, listed
from tests.faults.rig import NAME, Rig
from tests.faults.rig_place import MAIL
from tests.faults.rig_tap import tapped

EXAMPLES = 2_000
TOGETHER = 50
"""Examples of hypothesis in one case."""
HEADERS = [
    *("Date", "From", "Reply-To", "To", "Subject", "Message-ID"),
    *("Auto-Submitted", "X-Auto-Response-Suppress", "Content-Language", "MIME-Version", "Content-Type"),
]
SUBJECTS = {"Example Identity: Test Message", "Example Identity: Credential Reset Link"}
VERBS = frozenset({"EHLO", "AUTH", "MAIL", "RCPT", "DATA", "RSET", "QUIT"})
_BARE = re.compile(rb"\r(?!\n)|(?<!\r)\n")
_LINE_OF_LOG = re.compile(r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ [ !x] \w+")


def cases(seed: int) -> Sequence[Case]:
    """Return a case for each listed entry, and one for each fifty of hypothesis."""
    found = {f"listed {number:03}": partial(_only, entry) for number, entry in enumerate(listed(), 1)}
    for start in range(0, EXAMPLES, TOGETHER):
        name = f"hypothesis {start + 1:04}-{start + TOGETHER:04}"
        found[name] = partial(examples, seed * EXAMPLES + start, TOGETHER)
    return [Case(name, partial(play, entries=entries), exactly_once=True) for name, entries in found.items()]


def _only(entry: Hostile) -> Sequence[Hostile]:
    return [entry]


async def play(rig: Rig, entries: Callable[[], Sequence[Hostile]]) -> None:
    """Queue hostile entries between two good ones, and look at everything that comes of them."""
    mails: dict[str, Mail] = {}

    async def keep(name: str, arguments: tuple[Any, ...]) -> None:
        if name == "send":
            mails[arguments[0].message_id] = arguments[0]

    rig.wraps.transport = lambda transport: tapped(transport, before=keep)
    rig.mail("first@example.com")
    hostile = {_queue(rig, entry): entry for entry in entries()}
    rig.mail("last@example.com", reset=True)
    await rig.start()
    await rig.drained()
    await rig.changes.until_seen(partial(_are_over, rig, set(hostile)))
    facts = [
        *_of_each(rig, hostile, mails),
        *_of_the_relay(rig),
        *_of_the_log(rig),
        *await _unnamed(rig, set(hostile)),
    ]
    for fact in facts:
        raise AssertionError(fact)


def _queue(rig: Rig, entry: Hostile) -> str:
    now = datetime.now(UTC)
    delete_after = (now + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ")
    raw = {
        "schemas": [],
        "id": str(uuid.uuid4()),
        "mail_destination": [{"primary": True, "value": entry.address}],
        "message_template": entry.template(int((now + timedelta(days=6)).timestamp())),
        "send_after": (now - timedelta(minutes=5)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "delete_after": delete_after,
    }
    (id_,) = rig.api.store.add([raw])
    return id_


async def _are_over(rig: Rig, ids: set[str]) -> bool:
    """Say whether all that was taken up is final, and marked if it was sent; what was not taken up is odd for good."""
    rows = [row for row in await rig.rows() if str(row.delivery.message) in ids]
    return all(
        row.delivery.state in FINAL and (row.marked_at or row.delivery.state is not State.SENT) for row in rows
    )


async def _unnamed(rig: Rig, ids: set[str]) -> Iterator[str]:
    """Return what was neither taken up nor named as odd."""
    taken = {str(row.delivery.message) for row in await rig.rows()}
    named = set(re.findall(r" malformed_entry +message_id=(\S+)", rig.log))
    missing = len(ids - taken - named) if "malformed_entries" not in rig.log else 0
    return iter([f"{missing} entries were neither taken up nor named"] if missing else [])


def _of_each(rig: Rig, hostile: Mapping[str, Hostile], mails: Mapping[str, Mail]) -> Iterator[str]:
    """Yield what is wrong with the hostile entries' mails."""
    for id_, entry in hostile.items():
        all_arrived = [arrived for arrived in rig.relay.mails if arrived.message_id.startswith(f"<{id_}")]
        if len(all_arrived) > 1:
            yield f"{entry!r:.200} arrived {len(all_arrived)} times"
        for arrived in all_arrived:
            mail = mails[arrived.message_id]
            if hashlib.sha256(mail.content).hexdigest() != arrived.digest:
                yield f"{entry!r:.200}: what arrived is not what was rendered"
            # The relay drops the quotes of a local part.
            if address.parse(arrived.recipient) != mail.recipient or arrived.sender != MAIL.from_address:
                yield f"{entry!r:.200}: the envelope is {arrived.sender!r} to {arrived.recipient!r}"
            yield from (f"{entry!r:.200}: {fact}" for fact in _of_content(mail.content, mail.recipient))


def _of_content(content: bytes, recipient: str) -> Iterator[str]:
    """Yield what is wrong with a mail's octets."""
    parsed = message_from_bytes(content, policy=default)
    assert isinstance(parsed, EmailMessage)
    if parsed.keys() != HEADERS:
        yield f"headers {parsed.keys()}"
    if address.parse(str(parsed["to"])) != recipient or str(parsed["subject"]) not in SUBJECTS:
        yield f"To {parsed['to']!r}, Subject {parsed['subject']!r}"
    if _BARE.search(content) or b"\0" in content or not content.isascii():
        yield "a bare CR or LF, a NUL, or an octet that is not ASCII"
    if max(len(line) for line in content.split(b"\r\n")) > 998:
        yield "a line of more than 998 octets"
    if parsed.defects or len(list(parsed.walk())) != 3:
        yield f"parts {[part.get_content_type() for part in parsed.walk()]}, defects {parsed.defects}"
    page = parsed.get_body(("html",))
    html = page.get_content() if page else ""
    if not html or "<script" in html or "<img" in html or html.count("</body>") != 1:
        yield "an element that no template has"
    if NAME + "49" in html:
        yield "a template that was obeyed"


def _of_the_relay(rig: Rig) -> Iterator[str]:
    """Yield what the relay heard that no sender says."""
    for connection in rig.relay.connections:
        for said in connection.commands:
            if said.step not in VERBS or _BARE.search(said.text) or b"\0" in said.text:
                yield f"the relay heard {said.text[:100]!r}"


def _of_the_log(rig: Rig) -> Iterator[str]:
    """Yield what stands in the log that is no line of it, or that a terminal would obey."""
    for line in rig.log.removesuffix("\n").split("\n"):
        if not _LINE_OF_LOG.match(line) or not line.isprintable():
            yield f"a line of the log is {line[:200]!r}"
        if " internal_error " in line:
            yield line


FAMILY = Family("F14", "hostile entries", cases, slice_size=16, together=6)
