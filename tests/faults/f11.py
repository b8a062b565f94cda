"""F11: the server does not hear that a message is sent: the mark is repeated until it has heard, and mails nothing again for that."""

from collections.abc import Mapping, Sequence
from functools import partial
from types import MappingProxyType

from mail_sender.ledger.states import State
from server_stub.misbehaviour.exchange import Exchange, Fault, hang, lose_answer, reset, status
from tests.faults.api_faults import (
    ENTRY,
    SELF,
    SENT,
    Met,
    apply_and_hang,
    denied,
    edited,
    start_impatient,
    without_groups,
)
from tests.faults.family import Case, Family, Play
from tests.faults.rig import Rig

FOR_EVER = 1_000_000
_LONG = 15
"""How many marks that fail are long enough for "for ever"."""
FAULTS: Mapping[str, Fault] = MappingProxyType(
    {
        "503": status(503),
        "500": status(500, b'"backend"'),
        "401": status(401, b'"notauthenticated"'),
        "403": status(403, b'"accessdenied"'),
        "reset": reset,
        "hang": hang,
        "applied, and the answer lost": lose_answer,
        "applied, and no answer": apply_and_hang,
    }
)
TIMES: Mapping[str, int] = MappingProxyType({"once": 1, "3 times": 3, "10 times": 10, "for ever": FOR_EVER})


def cases(_seed: int) -> Sequence[Case]:
    """Return a case for each fault and each number of times, and what 404 can mean."""
    found: list[tuple[str, Play]] = [
        (f"{name} {how_often}", partial(unheard, fault=fault, times=times))
        for name, fault in FAULTS.items()
        for how_often, times in TIMES.items()
    ]
    found += [
        ("404, since it was purged", purged),
        (
            "404, since the group was lost",
            partial(hidden, path=SELF, fault=edited(without_groups), mark=status(404, b'"nomatchingentries"')),
        ),
        ("403, since the token is read-only", partial(hidden, path=ENTRY, fault=edited(denied), mark=status(403))),
        ("the marks of one message fail for ever", one_of_many),
    ]
    return [Case(name, play, exactly_once=True) for name, play in found]


async def unheard(rig: Rig, fault: Fault, times: int) -> None:
    """Have so many marks fail; the sender is restarted meanwhile, which changes nothing."""
    rig.mail()
    rig.mail(reset=True)
    met = Met(rig, fault).at(SENT, times)
    await start_impatient(rig)
    await met.often(min(times, _LONG // 2))
    if times > 1:
        assert await rig.changes.until_seen(partial(_all_sent, rig)), "it was not mailed"  # else a dot may be cut
        await rig.crash()
        await start_impatient(rig)
        await met.often(min(times, _LONG))
    assert len(rig.relay.mails) <= len(rig.queued), "it was mailed again"


async def _all_sent(rig: Rig) -> bool:
    return [row.delivery.state for row in await rig.rows()] == [State.SENT] * len(rig.queued)


async def purged(rig: Rig) -> None:
    """Have the message be deleted on the server between its mail and its mark: once a poll lacks it, nobody marks it."""
    queued = rig.mail()

    async def purge(exchange: Exchange) -> None:
        rig.api.store._connection.execute("DELETE FROM message WHERE uuid = ?", (str(queued.id),))
        await exchange.pass_on()

    met = Met(rig, purge).at(SENT, 1)
    await rig.start()
    await met.often()
    await rig.drained()
    marks = [call for call in rig.api.calls if SENT in call.path]
    await rig.linger()
    assert [call for call in rig.api.calls if SENT in call.path] == marks, "a message that is gone was marked again"
    assert len(rig.relay.mails) == 1
    assert "message_gone" in rig.log
    rig.queued.clear()  # the server cannot say that it was sent


async def hidden(rig: Rig, path: str, fault: Fault, mark: Fault) -> None:
    """Have the account lose its right after a mail: the mark waits for it, and no new mail goes out."""
    rig.mail()
    lost = Met(rig, mark).at(SENT, FOR_EVER)
    await rig.start()
    await lost.often()
    right = Met(rig, fault).at(path, FOR_EVER)
    await right.often()
    late = rig.mail()
    await right.often(4)
    assert not [mail for mail in rig.relay.mails if mail.recipient == late.recipients[0]], "mailed without the right"
    (first, *_) = await rig.rows()
    assert first.marked_at is None, "the mark was given up, though the message is only hidden"


async def one_of_many(rig: Rig) -> None:
    """Have the marks of one message fail for ever: those of the others are not held up by it."""
    choking = rig.mail()
    others = [rig.mail() for _ in range(6)]
    met = Met(rig, status(500, b'"backend"')).at(f"{choking.id}{SENT}", FOR_EVER)
    await rig.start()
    await met.often(3)
    marked = await rig.changes.until(lambda: all(rig.api.sent_at(queued.id) for queued in others), 5.0)
    assert marked, "one message's mark held up the others"


FAMILY = Family("F11", "the server does not hear of marks", cases, slice_size=14)
