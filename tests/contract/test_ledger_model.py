"""A ledger against a plain model of it: whatever is done in whatever order, both know the same."""

import asyncio
import tempfile
from collections.abc import Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from mail_sender.backoff import LONGEST_WAIT
from mail_sender.ledger.admission import LAGGING
from mail_sender.ledger.base import ASKED_LATELY, Delivery, Fenced, Imprint, Ledger, Outcome, Query
from mail_sender.ledger.postgres.ledger import PostgresLedger
from mail_sender.ledger.postgres.target import Target
from mail_sender.ledger.sqlite import KEPT_AFTER, SqliteLedger
from mail_sender.ledger.states import COMMANDS, FINAL, MOVES, ChangedMeanwhile, IllegalMove, State
from mail_sender.message import Message
from tests.support.postgres import Postgres
from tests.support.samples import DAY, MINUTE, NOW, message

PEOPLE = ["a@example.com", "A@Example.com", "b@example.com"]
MESSAGES = [
    message(*recipients, number=number, send_after=NOW - number * MINUTE, delete_after=NOW + lives * MINUTE)
    for number, (recipients, lives) in enumerate(
        [(PEOPLE[:1], 9_999), (PEOPLE, 9_999), (PEOPLE[1:], 9_999), (PEOPLE[:1], 30), (PEOPLE[2:], 60)], start=1
    )
]
MAX_AGE = DAY


@dataclass
class Known:
    """What the model knows of a message."""

    of: Message
    number: int
    rows: dict[str, Delivery]
    complete: tuple[datetime, int] | None = None
    marked: datetime | None = None
    unsent: datetime | None = None
    changed: datetime | None = None

    @property
    def left(self) -> datetime | None:
        """Since when the server should not list it any more."""
        if self.marked:
            return self.marked
        return self.changed if {row.state for row in self.rows.values()} == {State.WITHDRAWN} else None


@dataclass
class Model:
    """A ledger as anybody would write it in a minute, without a disk."""

    known: dict[UUID, Known] = field(default_factory=dict)
    counter: int = 0

    def admit(self, of: Message, now: datetime) -> list[UUID]:
        if of.id not in self.known:
            self.counter += 1
            deadline = min(of.deadline, now + MAX_AGE)
            rows = {
                to: Delivery(of.id, to, of.content.kind, State.QUEUED, of.send_after, deadline, now)
                for to in of.recipients
            }
            self.known[of.id] = Known(of, self.counter, rows)
        known = self.known[of.id]
        if known.left and known.left < now - LAGGING and not known.unsent:
            known.unsent = now
            return [of.id]
        return []

    def due(self, now: datetime, without: list[str]) -> list[tuple[UUID, str]]:
        rows = [(known.number, row) for known in self.known.values() for row in known.rows.values()]
        late = [row for _, row in rows if row.state in {State.QUEUED, State.HELD} and row.deadline <= now]
        left_out = {one.lower() for one in without}
        ready = [
            (row.next_attempt, row.send_after, number, row)
            for number, row in rows
            if row.state is State.QUEUED and row.deadline > now and row.recipient.lower() not in left_out
        ]
        now_due = [item for item in ready if item[0] <= now]
        ahead = [item for item in ready if item[0] > now + LONGEST_WAIT]
        in_order = [row for items in (now_due, ahead) for *_, row in sorted(items, key=lambda item: item[:3])]
        return sorted((row.message, row.recipient) for row in late) + [
            (row.message, row.recipient) for row in in_order
        ]

    def change(self, row: Delivery, outcome: Outcome, now: datetime, claim: int) -> bool:
        known = self.known[row.message]
        known.rows[row.recipient] = replace(
            row, state=outcome.state, next_attempt=outcome.next_attempt, attempts=outcome.attempts,
            ambiguous=outcome.ambiguous, copy=outcome.copy, claim=claim, dot=False,
        )  # fmt: skip
        known.changed = now
        states = {one.state for one in known.rows.values()}
        complete = State.SENT in states and states <= FINAL
        new = complete and known.complete is None
        known.complete = (known.complete or (now, known.number)) if complete else None
        return new and known.marked is None


class Machine(RuleBasedStateMachine):
    """The rules: every call, with what was read just now or some time ago."""

    is_shared = False
    """Whether several processes write it: a claim may be refused, and who takes one over must have read its dot."""

    def __init__(self) -> None:
        super().__init__()
        self.left_behind: set[tuple[UUID, str]] = set()
        self.loop = asyncio.new_event_loop()
        self.folder = tempfile.TemporaryDirectory()
        self.model = Model()
        self.now = NOW
        self.seen: list[Delivery] = []

    def run(self, call: Coroutine[Any, Any, Any]) -> Any:
        return self.loop.run_until_complete(call)

    def teardown(self) -> None:
        self.run(self.ledger.close())
        self.loop.run_until_complete(self.loop.shutdown_default_executor())
        self.loop.close()
        self.folder.cleanup()

    @initialize(in_file=st.booleans(), listed=st.lists(st.sampled_from(MESSAGES), min_size=1))
    def open(self, in_file: bool, listed: list[Message]) -> None:
        self.path = Path(self.folder.name) / "ledger.db" if in_file else None
        self.ledger: Ledger = self.run(self.opened())
        self.admit_all(listed)

    async def opened(self) -> Ledger:
        return await SqliteLedger.open(self.path)

    @rule()
    def restart(self) -> None:
        if self.path:
            self.run(self.ledger.close())
            self.ledger = self.run(self.opened())
            self.seen = [one for one in self.seen if one.state is not State.PROCESSING]  # whoever had it is gone
            self.left_behind = {row.key for row in self.rows() if row.state is State.PROCESSING}

    def rows(self) -> list[Delivery]:
        return [row for known in self.model.known.values() for row in known.rows.values()]

    @rule(minutes=st.sampled_from([1, 16, 16, 45, 24 * 60]))
    def time_passes(self, minutes: int) -> None:
        self.now += minutes * MINUTE

    @rule(listed=st.lists(st.sampled_from(MESSAGES), min_size=1))
    def admit(self, listed: list[Message]) -> None:
        self.admit_all(listed)

    def admit_all(self, listed: list[Message]) -> None:
        unsent = [id_ for of in dict.fromkeys(listed) for id_ in self.model.admit(of, self.now)]
        assert sorted(self.run(self.ledger.admit(listed, self.now, MAX_AGE))) == sorted(unsent)

    @rule(of=st.sampled_from(MESSAGES))
    def look_up(self, of: Message) -> None:
        self.seen += self.run(self.ledger.deliveries(of.id))

    @rule(of=st.sampled_from(MESSAGES), new=st.sampled_from([State.SENT, State.SENT, State.FAILED, State.WITHDRAWN]))
    def lead(self, of: Message, new: State) -> None:
        """Take the first delivery that is queued all the way, as a worker does."""
        known = self.model.known.get(of.id)
        row = next((row for row in known.rows.values() if row.state is State.QUEUED), None) if known else None
        if row is None:
            return
        self.seen.append(row)
        if new is not State.WITHDRAWN:
            self.begin_one(row)
        if new is State.SENT:
            self.dot_one(self.current(row), 1)
        self.settle_one(self.current(row), Outcome(new, self.now, 1, 0))

    @rule(pick=st.integers(0, 50))
    def begin(self, pick: int) -> None:
        if row := self.pick(pick):
            self.begin_one(row)

    def begin_one(self, row: Delivery) -> None:
        if row.state is not State.QUEUED:
            return self.fails(self.ledger.begin(row), IllegalMove)
        actual = self.actual(row)
        stands = actual is not None and (actual.claim, actual.state) == (row.claim, row.state)
        if self.is_shared and not (stands and not self.is_busy(row)):
            return self.fails(self.ledger.begin(row), Fenced)
        claimed = self.run(self.ledger.begin(row))  # the claim may not hold: the dot and the outcome show it
        assert (claimed.claim > row.claim, claimed.state) == (True, State.PROCESSING)
        assert claimed.claim not in {one.claim for one in self.seen if one.key == row.key}
        if actual is not None and stands:
            self.model.known[row.message].rows[row.recipient] = replace(
                actual, state=claimed.state, claim=claimed.claim
            )
        return self.seen.append(claimed)

    def is_busy(self, row: Delivery) -> bool:
        """Say whether another delivery for the mailbox is in flight."""
        return any(
            other.state is State.PROCESSING
            and other.key != row.key
            and other.recipient.lower() == row.recipient.lower()
            for other in self.rows()
        )

    @rule(pick=st.integers(0, 50), number=st.integers(1, 3))
    def dot(self, pick: int, number: int) -> None:
        if row := self.pick(pick):
            self.dot_one(row, number)

    def dot_one(self, row: Delivery, number: int) -> None:
        imprint = Imprint(f"<{number}@x>", NOW + number * MINUTE, f"{number}" * 64)
        actual = self.actual(row)
        call = self.ledger.dot(row, imprint)
        is_ours = row.key not in self.left_behind
        if (
            actual
            and actual.claim == row.claim
            and actual.state is State.PROCESSING
            and (is_ours or not self.is_shared)
        ):
            self.run(call)
            self.model.known[row.message].rows[row.recipient] = replace(actual, dot=True, imprint=imprint)
        else:
            self.fails(call, Fenced)

    @rule(
        pick=st.integers(0, 50),
        new=st.sampled_from(State),
        wait=st.sampled_from([0, 2, 30, 600]),
        count=st.integers(0, 3),
    )
    def settle(self, pick: int, new: State, wait: int, count: int) -> None:
        if row := self.pick(pick):
            self.settle_one(row, Outcome(new, self.now + wait * MINUTE, count, count // 2, count // 3))

    def settle_one(self, row: Delivery, outcome: Outcome) -> None:
        call = self.ledger.settle(row, outcome, self.now)
        actual, is_over = self.actual(row), row.key in self.left_behind and self.is_shared
        if self.is_shared and outcome.state is State.PROCESSING:
            self.fails(call, IllegalMove)
        elif is_over and actual and actual.claim == row.claim and actual.dot != row.dot:
            self.fails(call, ChangedMeanwhile)
        elif (result := self.may(row, outcome.state, MOVES, call)) is not None:
            assert result is self.model.change(self.current(row), outcome, self.now, row.claim)
            self.left_behind.discard(row.key)

    @rule(pick=st.integers(0, 50), new=st.sampled_from([State.QUEUED, State.ABANDONED, State.SENT]))
    def apply_command(self, pick: int, new: State) -> None:
        if row := self.pick(pick):
            outcome = Outcome(new, self.now, 0, 0, 1)
            if self.may(row, new, COMMANDS, self.ledger.apply_command(row, outcome, self.now)):
                self.model.change(self.current(row), outcome, self.now, row.claim + 1)
                known = self.model.known[row.message]
                if known.unsent and row.copy < 1:  # somebody un-sent it: the server is to be told of the copy
                    known.marked = known.unsent = None

    @rule(of=st.sampled_from(MESSAGES))
    def mark(self, of: Message) -> None:
        self.run(self.ledger.marked([of.id], self.now))
        known = self.model.known.get(of.id)
        if known and any(row.state is State.SENT for row in known.rows.values()):
            known.marked, known.unsent = self.now, None

    @rule(listed=st.sets(st.sampled_from([of.id for of in MESSAGES])))
    def forget(self, listed: set[UUID]) -> None:
        self.run(self.ledger.forget(self.now, listed))
        old = [id_ for id_, known in self.model.known.items() if known.of.delete_after < self.now - KEPT_AFTER]
        for id_ in old:
            if id_ not in listed:
                self.left_behind -= {row.key for row in self.model.known[id_].rows.values()}
                del self.model.known[id_]

    @rule(without=st.lists(st.sampled_from(PEOPLE), max_size=2))
    def due(self, without: list[str]) -> None:
        found = [(one.message, one.recipient) for one in self.run(self.ledger.due(self.now, 100, without))]
        expected = self.model.due(self.now, [*without, *self.others()])
        late = len([one for one in found if self.model.known[one[0]].rows[one[1]].deadline <= self.now])
        assert sorted(found[:late]) + found[late:] == expected

    def others(self) -> list[str]:
        """Return for whom another process has something in flight."""
        return [row.recipient for row in self.rows() if row.key in self.left_behind] if self.is_shared else []

    @rule(minutes=st.sampled_from([1, 20, 9_999]))
    def fresh(self, minutes: int) -> None:
        """What came since then stands in order, and behind all that is due for its recipient."""
        since = self.now - minutes * MINUTE
        found = [(one.message, one.recipient) for one in self.run(self.ledger.fresh(self.now, since, 100))]
        rows = [self.model.known[id_].rows[to] for id_, to in self.model.due(self.now, self.others())]
        rows = [row for row in rows if row.deadline > self.now and row.next_attempt <= self.now]
        new = {
            row.key
            for row in rows
            if not row.claim and row.next_attempt > since and row.send_after > self.now - ASKED_LATELY
        }
        assert [key for key in found if key in new] == [row.key for row in rows if row.key in new]
        of = {to.lower() for _, to in new}
        for person in of:
            line = [row.key for row in rows if row.recipient.lower() == person]
            last = max(place for place, key in enumerate(line) if key in new)
            assert [key for key in found if key[1].lower() == person] == line[: last + 1]
        assert {to.lower() for _, to in found} == of

    @invariant()
    def both_know_the_same(self) -> None:
        if not hasattr(self, "ledger"):
            return
        for of in MESSAGES:
            known = self.model.known.get(of.id)
            rows = [replace(row, marked=bool(known.marked)) for row in known.rows.values()] if known else []
            assert self.run(self.ledger.deliveries(of.id)) == rows
        rows = self.rows()
        assert self.run(self.ledger.count(Query())) == {
            state: count for state in State if (count := sum(row.state is state for row in rows))
        }
        waiting = [
            (known.complete, known.of.id)
            for known in self.model.known.values()
            if known.complete and not known.marked and known.of.delete_after > self.now
        ]
        assert self.run(self.ledger.unmarked(self.now)) == [id_ for _, id_ in sorted(waiting)]
        begun = sorted((row.message, row.recipient) for row in rows if row.state is State.PROCESSING)
        assert sorted((row.message, row.recipient) for row in self.run(self.ledger.interrupted())) == begun
        entries = self.run(self.ledger.find(Query(), 100))
        assert {(entry.delivery.message, entry.marked_at, entry.unsent_at) for entry in entries} == {
            (id_, known.marked, known.unsent) for id_, known in self.model.known.items()
        }
        later = [row.next_attempt for row in rows if row.state is State.QUEUED and row.next_attempt > self.now]
        assert self.run(self.ledger.next_due(self.now)) == min(later, default=None)

    def pick(self, number: int) -> Delivery | None:
        """Return what was seen lately, or longer ago."""
        rows = self.rows()
        choice = [*rows, *self.seen[-9:]]
        return choice[number % len(choice)] if choice else None

    def actual(self, row: Delivery) -> Delivery | None:
        known = self.model.known.get(row.message)
        return known.rows.get(row.recipient) if known else None

    def current(self, row: Delivery) -> Delivery:
        found = self.actual(row)
        assert found is not None
        return found

    def may(
        self, row: Delivery, new: State, moves: frozenset[tuple[State, State]], call: Coroutine[Any, Any, Any]
    ) -> Any:
        """Make a call, which must fail where it has to; return its answer, or True where it has none."""
        actual = self.actual(row)
        if (row.state, new) not in moves:
            return self.fails(call, IllegalMove)
        if actual is None or (actual.claim, actual.state) != (row.claim, row.state):
            return self.fails(call, Fenced)
        answer = self.run(call)
        return True if answer is None else answer

    def fails(self, call: Coroutine[Any, Any, Any], kind: type[Exception]) -> None:
        try:
            self.run(call)
        except kind:
            return
        raise AssertionError(f"{kind.__name__} was expected")


class PostgresMachine(Machine):
    """The same of a replica that has the database to itself, and of the next one after it."""

    is_shared = True
    server: Postgres
    target: Target

    async def opened(self) -> PostgresLedger:
        if not hasattr(self, "ledger"):
            self.server.empty(self.target)
            self.path = Path(self.folder.name)
        return await PostgresLedger.open(self.target)


@pytest.fixture(scope="class")
def _server(postgres: Postgres) -> None:
    PostgresMachine.server, PostgresMachine.target = postgres, postgres.target()


Machine.TestCase.settings = settings(
    max_examples=settings().max_examples // 2, stateful_step_count=40, deadline=timedelta(seconds=10)
)
TestLedgerAgainstItsModel = Machine.TestCase

PostgresMachine.TestCase.settings = settings(
    max_examples=settings().max_examples // 16,
    stateful_step_count=30,
    deadline=timedelta(seconds=30),
    phases=[Phase.reuse, Phase.generate],  # each step is a dozen round trips: a failure is told as it was found
)
TestPostgresAgainstItsModel = pytest.mark.debian("postgresql")(
    pytest.mark.usefixtures("_server")(PostgresMachine.TestCase)
)
