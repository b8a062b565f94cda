"""Two replicas and the database's clock: whatever they do and however long one of them stands still, a mail goes once.

Each replica is a worker in small: it claims what is due, writes the dot, hands the mail over if that is not too late,
settles, and takes over what was interrupted. Time passes only where the machine says so: it moves the leases instead
of the database's clock, and is the clock by which a dot is late. A replica that does nothing while time passes is one that was stopped, or cut off.
"""

import asyncio
from collections import Counter
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, ClassVar

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.conninfo import make_conninfo

from mail_sender import clock
from mail_sender.ledger.base import Delivery, Key, Outcome
from mail_sender.ledger.postgres import claims
from mail_sender.ledger.postgres.due import STALE
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.states import ChangedMeanwhile, State
from mail_sender.relay import transport
from mail_sender.sender import settle
from tests.support.postgres import Postgres
from tests.support.samples import IMPRINT, NOW, A, message

MESSAGES = [message(A, number=1), message(A.upper(), number=2)]
DAY = timedelta(days=1)
MOVE_CLOCKS = "; ".join(
    f"UPDATE {table} SET {column} = {column} - make_interval(secs => {claims.BEAT})"  # noqa: S608 - names of ours
    for table, column in (
        ("delivery", "lease_until"),
        ("replica", "since"),
        ("replica", "seen_at"),
    )
)
READ = "SELECT m.id, d.recipient, d.state, d.claim, d.dot, d.ambiguous FROM delivery d JOIN message m ON message = m.number"
REPLICAS = st.sampled_from([0, 1])


class Machine(RuleBasedStateMachine):
    """What two workers do, in any order."""

    now: ClassVar[float]
    database: psycopg.Connection[tuple[Any, ...]]
    target: Target

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        Machine.now = 0.0
        self.held: list[dict[Key, Delivery]] = [{}, {}]
        """What each replica works on."""
        self.dots: list[dict[Key, float]] = [{}, {}]
        """Until when each replica may hand over a mail whose dot is written."""
        self.accepted: list[set[Key]] = [set(), set()]
        """What the relay took of each replica, which is not settled yet."""
        self.interrupted: list[list[Delivery]] = [[], []]
        self.mails: Counter[Key] = Counter()

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    @initialize()
    def open(self) -> None:
        self.database.execute("TRUNCATE message, delivery, attempt, replica, poller RESTART IDENTITY")
        self.replicas = [self.run(self.opened()) for _ in range(2)]
        self.run(self.replicas[0].admit(MESSAGES, NOW, DAY))

    async def opened(self) -> PostgresLedger:
        ledger = await PostgresLedger.open(self.target)
        await ledger.replicas.stop_beating()  # the machine says when
        return ledger

    def teardown(self) -> None:
        for ledger in getattr(self, "replicas", ()):
            self.run(ledger.close())
        self.loop.close()

    @rule(steps=st.sampled_from([1, 3, 6]), living=st.sampled_from([(0, 1), (0,), (1,), ()]))
    def time_passes(self, steps: int, living: tuple[int, ...]) -> None:
        """The replicas that live say so; another one is stopped, or cut off from the database."""
        for _ in range(steps):
            Machine.now += claims.BEAT
            self.database.execute(MOVE_CLOCKS)
            for who in living:
                self.run(self.replicas[who].beat())

    @rule(who=REPLICAS, pick=st.integers(0, 1))
    def work(self, who: int, pick: int) -> None:
        """Do the next step of what the replica works on: claim, dot, hand over."""
        held = list(self.held[who].values())
        if not held:
            self.claim(who, pick)
        elif (found := held[0]).key in self.accepted[who]:
            self.settled(who, found, Outcome(State.SENT, NOW, 1, found.ambiguous))
        elif found.key in self.dots[who]:
            self.hand_over(who, found)
        else:
            self.dot(who, found)

    @rule(who=REPLICAS, steps=st.integers(0, 3), then=st.integers(0, 2))
    def stand_still(self, who: int, steps: int, then: int) -> None:
        """One replica is stopped while the other one takes over and goes on for some steps; then it goes on itself."""
        other = 1 - who
        self.time_passes(6, (other,))
        self.search(other)
        self.recover()
        for _ in range(steps):
            self.work(other, 0)
        for _ in range(then):
            self.work(who, 0)

    @rule(who=REPLICAS)
    def search(self, who: int) -> None:
        self.interrupted[who] = self.run(self.replicas[who].interrupted())

    @precondition(lambda self: any(self.interrupted))
    @rule()
    def recover(self) -> None:
        """Take over what was seen to be interrupted, some time ago."""
        for who, interrupted in enumerate(self.interrupted):
            for found in interrupted:
                if found.key not in self.held[who]:
                    outcome = settle.interrupted(found, NOW)
                    self.tried(self.replicas[who].settle(found, replace(outcome, next_attempt=NOW), NOW))
        self.interrupted = [[], []]

    @precondition(lambda self: any(self.held))
    @rule(who=REPLICAS, forgets=st.booleans())
    def end(self, who: int, forgets: bool) -> None:
        """The relay says no before the dot, or the answer of the database was lost: nobody knows of the claim."""
        for found in list(self.held[who].values()):
            if forgets:
                self.let_go(who, found.key)
            elif found.key not in self.dots[who]:
                self.settled(who, found, found.queued(NOW))

    def claim(self, who: int, pick: int) -> None:
        due = self.run(self.replicas[who].due(NOW + STALE, 10))
        if found := due[pick % len(due)] if due else None:
            claimed = self.tried(self.replicas[who].begin(found))
            if claimed is not None:
                self.held[who][found.key] = claimed

    def dot(self, who: int, found: Delivery) -> None:
        """Write the dot; a replica that may not lets its claim go."""
        until = self.tried(self.replicas[who].dot(found, IMPRINT))
        if until is None:
            self.let_go(who, found.key)
        else:
            self.dots[who][found.key] = until

    def hand_over(self, who: int, found: Delivery) -> None:
        """Send the mail, if it is not too late; its claim must stand at that moment."""
        try:
            transport.require_in_time(self.dots[who][found.key])
        except transport.DotLate:
            self.settled(who, found, found.queued(NOW))
            return
        _, claim, has_dot, _ = self.rows()[found.key]
        assert (claim, has_dot) == (found.claim, True), "it was taken over"
        self.mails[found.key] += 1
        self.accepted[who].add(found.key)

    @invariant()
    def a_mail_goes_once(self) -> None:
        """One copy more, where the ledger says that the first one may have arrived; one in flight for a mailbox."""
        rows = self.rows()
        for key, (state, *_, ambiguous) in rows.items():
            assert self.mails[key] <= 1 + ambiguous, "there is a copy"
            assert state != State.SENT or self.mails[key], "it is lost"
        begun = Counter(key[1].lower() for key, (state, *_) in rows.items() if state == State.PROCESSING)
        assert max(begun.values(), default=0) <= 1, "a mailbox has two"

    def rows(self) -> dict[Key, tuple[str, int, bool, int]]:
        return {(id_, recipient): tuple(rest) for id_, recipient, *rest in self.database.execute(READ)}

    def settled(self, who: int, found: Delivery, outcome: Outcome) -> None:
        self.tried(self.replicas[who].settle(found, outcome, NOW))
        self.let_go(who, found.key)

    def let_go(self, who: int, key: Key) -> None:
        self.held[who].pop(key)
        self.dots[who].pop(key, None)
        self.accepted[who].discard(key)

    def tried(self, call: Coroutine[Any, Any, Any]) -> Any:
        try:
            return self.run(call)
        except ChangedMeanwhile:
            return None


@pytest.fixture(scope="module")
def machine(postgres: Postgres) -> Iterator[type[Machine]]:
    """The machine, on a ledger of its own."""
    Machine.target = postgres.target()
    asyncio.run(made(Machine.target))
    with (
        psycopg.connect(make_conninfo(**Machine.target.parameters), autocommit=True) as database,
        pytest.MonkeyPatch.context() as patched,
    ):
        patched.setattr(clock, "elapsed", lambda: Machine.now)
        database.execute(f'SET search_path TO "{Machine.target.schema}"')
        Machine.database = database
        yield Machine


async def made(target: Target) -> None:
    ledger = await PostgresLedger.open(target)
    await ledger.close()


def ran(machine: type[Machine], examples: int) -> None:
    """Run it; a failure is told as it was found, since each step is a few round trips."""
    chosen = settings(
        max_examples=examples, stateful_step_count=40, deadline=None, phases=[Phase.generate], database=None
    )
    run_state_machine_as_test(machine, settings=chosen)


@pytest.mark.debian("postgresql")
def test_whatever_two_replicas_do_a_mail_goes_once(machine: type[Machine]) -> None:
    """Nobody hands a mail over whose claim another one has taken, and nobody sends what another one has sent."""
    ran(machine, examples=settings().max_examples // 16)


@pytest.mark.debian("postgresql")
def test_without_the_fence_the_machine_finds_a_copy(machine: type[Machine], monkeypatch: pytest.MonkeyPatch) -> None:
    """It would find a ledger that lets a replica write its dot after another one took over."""
    fence = f"AND d.claim = asked.claim AND d.replica = %(replica)s AND {claims.LASTS}"
    assert fence in claims.DOT
    monkeypatch.setattr(claims, "DOT", claims.DOT.replace(fence, ""))
    with pytest.raises(AssertionError, match="it was taken over"):
        ran(machine, examples=settings().max_examples)


@pytest.mark.debian("postgresql")
def test_without_the_dots_time_the_machine_finds_a_copy(
    machine: type[Machine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would find a transport that writes a dot after the time that the ledger gave for it."""
    monkeypatch.setattr(transport, "require_in_time", lambda _until: None)
    with pytest.raises(AssertionError, match="it was taken over"):
        ran(machine, examples=settings().max_examples)
