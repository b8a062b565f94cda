"""F10: whatever the identity server answers, and whatever stands in its place: no mail is lost, none is sent twice.

Each fault stands twice before one of the five calls. What is wrong with a single entry is that entry's alone.
"""

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import MappingProxyType
from typing import Any

from mail_sender.ledger.states import State
from server_stub.misbehaviour.exchange import Exchange, Fault, status, truncate
from tests.faults import api_faults
from tests.faults.api_faults import (
    ENTRY,
    PATHS,
    READ,
    READY,
    SELF,
    SENT,
    Met,
    denied,
    edited,
    pause,
    start_impatient,
    without_groups,
)
from tests.faults.family import Case, Family
from tests.faults.oracle import Queued
from tests.faults.rig import NAME, Rig
from tests.faults.rig_behaviour import deferring

STATUSES = (400, 401, 403, 404, 408, 409, 413, 418, 429, 500, 501, 502, 503, 504, 507)
REDIRECTS = (301, 302, 303, 307, 308)
WAITS: Mapping[str, str] = MappingProxyType(
    {
        "7": "7",
        "120": "120",
        "in two minutes": "",
        "an hour ago": "",
        "-5": "-5",
        "soon": "soon",
        "9" * 400: "9" * 400,
    }
)
LISTED_OCTETS = 1_600
"""A little more than the list of the three messages that these cases queue."""


def cases(_seed: int) -> Sequence[Case]:
    """Return all of them."""
    named = [*_answers(), *_network(), *_waits(), *_entries(), *_fates()]
    return [Case(name, play, exactly_once=True) for name, play in named]


Named = Iterator[tuple[str, Callable[[Rig], Any]]]


def _answers() -> Named:
    for path in PATHS:
        for code in STATUSES:
            yield f"{path} {code}", partial(behind, fault=status(code), path=path)
        for code in REDIRECTS:
            yield f"{path} {code}", partial(behind, fault=api_faults.redirect(code), path=path)
        for code in (401, 403, 404, 500, 502, 503):
            yield f"{path} HTML {code}", partial(behind, fault=api_faults.html(code), path=path)
        for name, body in api_faults.BODIES.items():
            if path != SENT or name != "null":  # which is the one yes to a mark
                yield f"{path} 200 with {name}", partial(behind, fault=status(200, body), path=path)


def _network() -> Named:
    for path in PATHS:
        for name, fault in api_faults.NETWORK.items():
            yield f"{path} {name}", partial(behind, fault=fault, path=path)
    for after in range(0, LISTED_OCTETS, 64):
        yield f"list cut after {after:04}", partial(behind, fault=truncate(after), path=READY)


def _waits() -> Named:
    for code in (429, 503):
        for name, value in WAITS.items():
            for path in (READY, SENT):
                yield (
                    f"{path} {code} Retry-After {name[:20]}",
                    partial(asked_to_wait, code=code, name=name, value=value, path=path),
                )


async def behind(rig: Rig, fault: Fault, path: str) -> None:
    """Have a fault stand before one of the calls, twice."""
    _queue(rig, path)
    met = Met(rig, fault).at(path, 2)
    await start_impatient(rig)
    await met.often()


def _queue(rig: Rig, path: str) -> None:
    rig.mail()
    rig.mail(reset=True)
    rig.mail("ellie@example.com", "bob@example.com")
    if path == READ:
        # What is deferred is read again, unless a poll has just listed it.
        rig.relay.behave = deferring()
        rig.place = replace(rig.place, poll="0 0 */6 * * *")


async def asked_to_wait(rig: Rig, code: int, name: str, value: str, path: str) -> None:
    """Have the server ask to be left alone, and see that it is."""
    _queue(rig, path)
    met = Met(rig, api_faults.retry_after(code, value, name)).at(path, 1)
    await start_impatient(rig)
    await met.often()
    # Marks go two at a time: the second one is on its way already.
    asked = next(call.path for call in rig.api.calls if path in call.path)
    await rig.changes.until(lambda: len(_calls(rig, asked)) > 1)
    waited = (_calls(rig, asked)[1] - _calls(rig, asked)[0]).total_seconds()
    wanted = {"7": 7.0, "120": 120.0, "in two minutes": 110.0, "9" * 400: 300.0}.get(name, 0.0)
    assert waited >= wanted, f"{path} was asked again after {waited:.0f} s, not {wanted:.0f}"


def _calls(rig: Rig, path: str) -> list[datetime]:
    return [call.at for call in rig.api.calls if path in call.path]


# Entries


BAD_FIELDS: Mapping[str, Callable[[dict[str, Any]], object]] = MappingProxyType(
    {
        "no id": lambda entry: entry.pop("id"),
        "an id that is none": lambda entry: entry.update(id="../../etc/passwd"),
        "no send_after": lambda entry: entry.pop("send_after"),
        "a send_after without a zone": lambda entry: entry.update(send_after="2026-01-01T00:00:00"),
        "a delete_after that is none": lambda entry: entry.update(delete_after="tomorrow"),
        "a number for a time": lambda entry: entry.update(delete_after=10**30),
        "no destination": lambda entry: entry.update(mail_destination=[]),
        "a destination that is null": lambda entry: entry.update(mail_destination=None),
        "a destination without an address": lambda entry: entry.update(mail_destination=[{"primary": True}]),
        "an empty address": lambda entry: entry.update(mail_destination=[{"primary": True, "value": ""}]),
        "no template": lambda entry: entry.pop("message_template"),
        "two templates": lambda entry: entry["message_template"].update(OtherV1={}),
        "a template that is a word": lambda entry: entry.update(message_template="TestMessageV1"),
        "a name that is a number": lambda entry: entry.update(
            message_template={"TestMessageV1": {"display_name": 1}}
        ),
        "a link without its secret": lambda entry: entry.update(
            message_template={"CredentialResetV1": {"display_name": NAME, "expiry_time": 4102444800}}
        ),
        "an expiry that is no number": lambda entry: entry.update(
            message_template={"CredentialResetV1": {"display_name": NAME, "intent_id": "x", "expiry_time": "never"}}
        ),
        "null": lambda entry: entry.clear(),
    }
)


def _entries() -> Named:
    for name, spoil in BAD_FIELDS.items():
        yield f"1 bad of 50: {name}", partial(one_bad, spoil=spoil)
    yield "1 bad of 50: an unknown template", unknown
    for times in (2, 3, 50):
        yield f"the list holds everything {times} times", partial(doubled, times=times)
    yield "the list leaves everything out, now and then", left_out
    yield "5,000 entries that nobody can read", many_odd


async def one_bad(rig: Rig, spoil: Callable[[dict[str, Any]], object]) -> None:
    """Have one entry of fifty be odd: it is named, and the others go out."""
    for number in range(49):
        rig.mail(f"person-{number}@example.com", reset=number % 2 == 0)
        if number == 24:
            raw = _raw("odd@example.com")
            spoil(raw)
            rig.api.store.add([raw])
    await rig.start()
    await rig.drained()
    assert "malformed_entry" in rig.log, "the odd one is not named"
    assert not rig.api.store.count_unsent() - 1, "the odd one was marked, or another one was not"


async def unknown(rig: Rig) -> None:
    """Have one entry be of a kind from the future: it is held, and never marked."""
    for number in range(49):
        rig.mail(f"person-{number}@example.com")
    raw = _raw("odd@example.com") | {"message_template": {"ShinyNewV7": {"display_name": NAME}}}
    (id_,) = rig.api.store.add([raw])
    rig.aimed.add(uuid.UUID(id_))
    await rig.start()
    await rig.changes.until_seen(partial(_is_over, rig, 50))
    (row,) = [row for row in await rig.rows() if str(row.delivery.message) == id_]
    assert row.delivery.state is State.HELD, row.delivery.state
    assert rig.api.sent_at(uuid.UUID(id_)) is None
    rig.api.store.mark_sent(id_, 1)  # so that the case has an end
    rig.api.store._connection.execute("DELETE FROM message WHERE uuid = ?", (id_,))
    await rig.stop()


async def _is_over(rig: Rig, count: int) -> bool:
    rows = await rig.rows()
    return len(rows) == count and all(row.delivery.state in {State.SENT, State.HELD} for row in rows)


async def doubled(rig: Rig, times: int) -> None:
    """Have each list hold each entry several times."""
    _queue(rig, READY)
    again = edited(lambda answer: answer | {"resources": answer["resources"] * times})
    met = Met(rig, again).at(READY, 10)
    await rig.start()
    await met.often(2)


async def left_out(rig: Rig) -> None:
    """Have every other list be empty while mail waits for its retry: absence means nothing."""
    _queue(rig, READY)
    rig.relay.behave = deferring()
    met = Met(rig, edited(_emptied())).at(READY, 10)
    await rig.start()
    await met.often(2)


def _emptied() -> Callable[[Any], Any]:
    answers = iter(range(1_000))
    return lambda answer: answer if next(answers) % 2 == 0 else answer | {"resources": []}


async def many_odd(rig: Rig) -> None:
    """Have thousands of odd entries before a good one: a few are named, the good one goes out."""
    rig.api.store.add([{"id": str(uuid.uuid4())} for _ in range(5_000)])
    rig.mail()
    await rig.start()
    await rig.drained()
    assert rig.log.count("malformed_entry") < 100, "the log is full of odd entries"
    rig.api.store._connection.execute("DELETE FROM message WHERE body NOT LIKE '%mail_destination%'")


def _raw(recipient: str) -> dict[str, Any]:
    now = datetime.now(UTC)
    return {
        "schemas": [],
        "id": str(uuid.uuid4()),
        "mail_destination": [{"primary": True, "value": recipient}],
        "message_template": {"TestMessageV1": {"display_name": NAME}},
        "send_after": (now - timedelta(minutes=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "delete_after": (now + timedelta(days=7)).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


# What happens to a message on the server meanwhile


def _fates() -> Named:
    yield (
        "marked by somebody else before the retry",
        partial(
            ends_elsewhere,
            how="UPDATE message SET sent_at = '2026-01-01T00:00:00Z', body = json_set(body, '$.sent_at', '2026-01-01T00:00:00Z') WHERE uuid = ?",
        ),
    )
    yield "purged before the retry", partial(ends_elsewhere, how="DELETE FROM message WHERE uuid = ?")
    yield "a replica lists it again right after its mark", lagging
    yield "un-sent an hour after its mark", unsent
    for code in (401, 403):
        yield (
            f"the token is refused with {code} for a while",
            partial(no_mail_meanwhile, fault=status(code), path=READY),
        )
    yield (
        "the account has lost its group for a while",
        partial(no_mail_meanwhile, fault=edited(without_groups), path=SELF),
    )
    yield "the token is read-only for a while", partial(no_mail_meanwhile, fault=edited(denied), path=ENTRY)


async def ends_elsewhere(rig: Rig, how: str) -> None:
    """Have a message end on the server while it waits for its retry: it is withdrawn, not mailed."""
    _queue(rig, READ)
    await rig.start()
    await rig.changes.until(
        lambda: any(said.step == "RCPT" for one in rig.relay.connections for said in one.commands)
    )
    gone = rig.queued.pop(0)
    rig.api.store._connection.execute(how, (str(gone.id),))
    await rig.changes.until_seen(partial(_is_final, rig, gone))
    state = await rig.state(gone)
    mails = [mail for mail in rig.relay.mails if mail.recipient == gone.recipients[0]]
    # It may have been on its way already: then it is sent, and once.
    assert (state, len(mails)) in {(State.WITHDRAWN, 0), (State.SENT, 1)}, (state, len(mails))


async def _is_final(rig: Rig, queued: Queued) -> bool:
    return await rig.state(queued) in {State.WITHDRAWN, State.SENT}


async def lagging(rig: Rig) -> None:
    """Have a replica that has not heard of the marks list all of it again."""
    _queue(rig, READY)
    stale: list[bytes] = []

    async def fault(exchange: Exchange) -> None:
        code, body = await exchange.whole_answer()
        stale.append(body)
        await exchange.answer(code, stale[0])

    met = Met(rig, fault).at(READY, 3)
    rig.place = replace(rig.place, poll="0 */5 * * * *")
    await rig.start()
    await met.often(3)


async def unsent(rig: Rig) -> None:
    """Have a message be un-sent long after its mark: that is said, and not mailed."""
    queued = rig.mail()
    await rig.start()
    await rig.drained()
    await pause(rig, 3_600)
    reopen = "UPDATE message SET sent_at = NULL, body = json_remove(body, '$.sent_at') WHERE uuid = ?"
    rig.api.store._connection.execute(reopen, (str(queued.id),))
    polls = len(_calls(rig, READY))
    await rig.changes.until(lambda: len(_calls(rig, READY)) > polls + 2)
    assert " unsent" in rig.log, "that it was un-sent is not said"
    rig.api.store.mark_sent(str(queued.id), 1)


async def no_mail_meanwhile(rig: Rig, fault: Fault, path: str) -> None:
    """Have the token be unusable for a while: nothing is mailed that could not be marked."""
    _queue(rig, path)
    met = Met(rig, fault).at(path, 1_000)
    await rig.start()
    await met.often(4)
    assert not rig.relay.mails, "mail went out that could not be marked"


FAMILY = Family("F10", "whatever the server answers", cases, slice_size=22, together=10)
