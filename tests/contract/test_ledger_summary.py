"""What every ledger tells of all its deliveries together: counts by state, what waits longest, attempts, domains."""

from collections.abc import Sequence
from datetime import datetime

from mail_sender.control.verbs import VERBS
from mail_sender.ledger.base import Attempt, Ledger
from mail_sender.ledger.states import State
from mail_sender.ledger.summary import HOURS, QUEUED_AGAIN, Failing
from mail_sender.message import Message
from tests.contract.ledgers import admit, become, of_one, outcome
from tests.support.samples import DAY, HOUR, MINUTE, NOW, SECOND, crowd, message


def line(verdict: str, at: datetime = NOW, stage: str = "rcpt") -> Attempt:
    """Return a line of history."""
    return Attempt(at, stage, verdict, 250, "said", 0.1)


async def lived(ledger: Ledger, of: Message, *lines: Attempt, state: State = State.QUEUED) -> None:
    """Write lines of a delivery's history, which is queued until the last of them leads it to a state."""
    for number, attempt in enumerate(lines, 1):
        found = await ledger.begin(await of_one(ledger, of))
        became = state if number == len(lines) else State.QUEUED
        await ledger.settle(found, outcome(became), NOW, attempt)


async def commanded(ledger: Ledger, of: Message, verdict: str, at: datetime, copy: int = 0) -> None:
    """Have an operator queue a delivery again."""
    again = outcome(State.QUEUED, copy=copy)
    await ledger.apply_command(await of_one(ledger, of), again, at, line(verdict, at, "operator"))


async def test_an_empty_ledger_has_nothing_to_tell(ledger: Ledger) -> None:
    """Each state is named, and each of the 24 hours."""
    found = await ledger.summary(NOW)
    assert found.at == NOW
    assert (dict(found.states), found.kinds) == (dict.fromkeys(State, 0), {})
    assert (found.unmarked, found.oldest_waiting_at, found.last_accepted_at) == (0, None, None)
    assert (found.hours, found.failing) == (({},) * HOURS, ())


async def test_each_delivery_is_counted_once_in_its_state(ledger: Ledger) -> None:
    """Whatever its history is."""
    await admit(ledger, *(messages := crowd(len(State))))
    for of, state in zip(messages, State, strict=True):
        if state is not State.QUEUED:
            await become(ledger, of, state)
    await lived(ledger, messages[0], line("deferred"), line("deferred"))
    found = await ledger.summary(NOW)
    assert dict(found.states) == dict.fromkeys(State, 1)
    assert found.kinds == {messages[0].content.kind: dict.fromkeys(State, 1)}
    assert found.unmarked == len(await ledger.unmarked(NOW)) == 1
    assert (await ledger.summary(NOW + 8 * DAY)).unmarked == 0


async def test_what_waits_longest_waits_since_its_message_was_to_be_sent(ledger: Ledger) -> None:
    """Queued, processing and held ones wait; one that an operator queued again waits since then."""
    waiting = [message(f"{hours}@example.com", send_after=NOW - hours * HOUR) for hours in (5, 4, 3, 2)]
    await admit(ledger, *waiting)
    for of, state in zip(waiting, (State.SENT, State.PROCESSING, State.HELD, State.FAILED), strict=True):
        await become(ledger, of, state)
    ages = []
    for step in (None, waiting[1], waiting[2]):
        if step is not None:
            processing = await of_one(ledger, step)
            now = State.SENT if processing.state is State.PROCESSING else State.WITHDRAWN
            await ledger.settle(processing, outcome(now), NOW)
        ages.append((await ledger.summary(NOW)).oldest_waiting_at)
    assert ages == [NOW - 4 * HOUR, NOW - 3 * HOUR, None]
    for verdict, at in (("retried", NOW - MINUTE), ("resent", NOW)):
        await commanded(ledger, waiting[3], verdict, at)
        assert (await ledger.summary(NOW)).oldest_waiting_at == at


def test_the_verbs_that_queue_again_are_known() -> None:
    """The ledger knows the words that two verbs write into histories."""
    assert set(QUEUED_AGAIN) == {VERBS["retry"].history, VERBS["resend"].history}


async def test_attempts_are_counted_by_verdict_and_hour(ledger: Ledger) -> None:
    """An hour ends with its last moment; what is older than a day, an operator's or no attempt does not count."""
    await admit(ledger, of := message(), other := message())
    await lived(
        ledger,
        of,
        line("deferred", NOW - DAY),
        line("deferred", NOW - DAY + SECOND),
        line("relay_down", NOW - HOUR),
        line("uncertain", NOW - HOUR + SECOND),
        line("accepted", NOW),
        line("accepted", NOW + SECOND),
        line("held", NOW, "render"),
        line("withdrawn", NOW, "server"),
    )
    await lived(ledger, other, line("deferred", NOW - MINUTE))
    await commanded(ledger, other, "retried", NOW)
    found = await ledger.summary(NOW)
    empty: Sequence[dict[str, int]] = [{}] * (HOURS - 3)
    assert list(found.hours) == [
        {"deferred": 1},
        *empty,
        {"relay_down": 1},
        {"uncertain": 1, "accepted": 1, "deferred": 1},
    ]
    assert found.attempts(1) == {"accepted": 1, "deferred": 1, "uncertain": 1}
    assert found.attempts(HOURS) == {"accepted": 1, "deferred": 2, "relay_down": 1, "uncertain": 1}


async def test_the_last_acceptance_is_known_however_old_it_is(ledger: Ledger) -> None:
    """As long as the ledger keeps its message."""
    await admit(ledger, of := message())
    await lived(ledger, of, line("accepted", NOW - 9 * DAY), line("accepted", NOW - 8 * DAY), line("deferred"))
    assert (await ledger.summary(NOW)).last_accepted_at == NOW - 8 * DAY


async def test_a_failing_domain_counts_each_delivery_once(ledger: Ledger) -> None:
    """In whatever case it is written; what was accepted afterwards, or failed for another cause, does not count."""
    table: dict[str, tuple[State, list[Attempt]]] = {
        "a@Slow.example": (State.QUEUED, [line("deferred"), line("deferred")]),
        '"b@c"@slow.example': (State.ABANDONED, [line("deferred")]),
        "c@slow.example": (State.UNKNOWN, [line("uncertain")]),
        "d@slow.example": (State.SENT, [line("deferred"), line("accepted")]),
        "e@slow.example": (State.WITHDRAWN, [line("deferred"), line("withdrawn")]),
        "f@refuses.example": (State.FAILED, [line("refused")]),
        "g@refuses.example": (State.FAILED, [line("refused", NOW - 2 * DAY)]),
        "h@template.example": (State.FAILED, [line("refused", stage="render")]),
        "i@down.example": (State.QUEUED, [line("relay_down"), line("throttled")]),
        "j@copy.example": (State.SENT, [line("deferred"), line("accepted")]),
    }
    messages = {name: message(name) for name in table}
    await admit(ledger, *messages.values())
    for name, (state, lines) in table.items():
        if state is State.WITHDRAWN:
            await lived(ledger, messages[name], *lines[:-1])
            await ledger.settle(await of_one(ledger, messages[name]), outcome(state), NOW, lines[-1])
        else:
            await lived(ledger, messages[name], *lines, state=state)
    await commanded(ledger, messages["j@copy.example"], "resent", NOW, copy=1)
    found = await ledger.summary(NOW)
    assert found.failing == (Failing("slow.example", 2, 1), Failing("refuses.example", 1, 0))
    await lived(ledger, messages["j@copy.example"], line("deferred"))
    assert Failing("copy.example", 0, 1) in (await ledger.summary(NOW)).failing


async def test_of_many_failing_domains_ten_are_named(ledger: Ledger) -> None:
    """Those with most failures."""
    messages = [message(f"{n}@{n % 12}.example") for n in range(36) if n < 24 or n % 12 > 1]
    await admit(ledger, *messages)
    for of in messages:
        await lived(ledger, of, line("refused"), state=State.FAILED)
    failing = (await ledger.summary(NOW)).failing
    assert {found.domain for found in failing} == {f"{n}.example" for n in range(2, 12)}
    assert {found.failed for found in failing} == {3}


async def test_what_was_written_since_is_counted_at_once(ledger: Ledger) -> None:
    """A ledger that does not change is not counted again, one that does is."""
    for number in range(1, 4):
        await admit(ledger, message())
        for _ in range(2):
            found = await ledger.summary(NOW)
            assert (found.states[State.QUEUED], found.kinds) == (
                number,
                {message().content.kind: {State.QUEUED: number}},
            )
