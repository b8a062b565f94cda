"""What the worker and the operator ask of a ledger, whichever it is: the only writer of delivery state.

1. A delivery goes `begin` -> `dot` -> `settle`. What `dot` has written says, after a crash, that the mail may have
   arrived.
2. `begin` is a claim: it numbers the attempt. A caller with another number, or another state, than the row has is
   `Fenced` and changes nothing, so that a ledger shared by several replicas can give a claim that ran out to another
   one. The claim proves itself at the dot, which is the first commit that an attempt waits for.
3. `interrupted` names what was begun by somebody who is gone. With one process that is all that is in flight when it
   starts; with replicas it is what outlived its lease.
4. A message is `unmarked` as soon as all its deliveries are final and one of them is sent, until `marked` says that
   the server knows. Of several replicas, the one that wrote its last outcome is `to_mark` it, as long as it is there.
"""

from collections.abc import Collection, Container, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from mail_sender.ledger.allowances import Allowances
from mail_sender.ledger.outages import Outages
from mail_sender.ledger.replicas import Replicas
from mail_sender.ledger.states import ChangedMeanwhile, State
from mail_sender.ledger.summary import Summary
from mail_sender.message import Message

Key = tuple[UUID, str]
"""What names a delivery: message and recipient."""


MOST_BEFORE = 16
"""A fresh delivery that stands behind more of its recipient's goes with the backlog."""


ASKED_LATELY = timedelta(minutes=2)
"""What the server wanted to be sent longer ago is not fresh, even if it comes only now: it is of a backlog."""


class Fenced(ChangedMeanwhile):
    """The delivery was changed by somebody else since it was read: nothing was written."""


@dataclass(frozen=True, slots=True)
class Imprint:
    """The mail as it stood before its dot: Message-ID, Date (aware), and the SHA-256 of its bytes, in hex.

    `relay` is the one that was to get the dot, by its host and port; None where an earlier version wrote it.
    """

    message_id: str
    date: datetime
    digest: str
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message for one recipient.

    `next_attempt` is when a queued delivery is due, `deadline` when it expires, `attempts` how often the relay gave a
    verdict on it, `ambiguous` how often it was cut off between the dot and its reply, `copy` how often the operator
    asked for another copy, which is its number in the log, in JSON and in the Message-ID. `dot` says that the current
    attempt's dot may be out, `claim` is that attempt's number, `imprint` what the last dot would have ended. `marked`
    says that the message is already marked as sent, for another recipient or an earlier copy.
    """

    message: UUID
    recipient: str
    kind: str
    state: State
    send_after: datetime
    deadline: datetime
    next_attempt: datetime
    attempts: int = 0
    ambiguous: int = 0
    copy: int = 0
    claim: int = 0
    dot: bool = False
    imprint: Imprint | None = None
    marked: bool = False

    @property
    def key(self) -> Key:
        """What names it."""
        return self.message, self.recipient

    def queued(self, next_attempt: datetime) -> "Outcome":
        """Return the outcome by which it is queued and due at that time; what of it counts stays."""
        return Outcome(State.QUEUED, next_attempt, self.attempts, self.ambiguous, self.copy)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a delivery becomes: its state, when it is due, and what of it counts."""

    state: State
    next_attempt: datetime
    attempts: int
    ambiguous: int
    copy: int = 0


@dataclass(frozen=True, slots=True)
class Attempt:
    """One line of a delivery's history: how far it came, what was said, and how long it took (seconds).

    `verdict` is a verdict's name in lower case, `interrupted`, `held`, `held_back`, `withdrawn`, `disposable`, or the
    operator's command; `reply` has been cleaned and cut. `relay` is the host and port of the relay that was tried,
    None where none was, or where an earlier version wrote the line.
    """

    at: datetime
    stage: str
    verdict: str
    code: int | None
    reply: str
    seconds: float
    queue_id: str | None = None
    relay: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery as the operator sees it: with its history (oldest attempt first) and its mark.

    `unsent_at` is when the message was found listed again, long after its mark. `number` grows with each delivery.
    """

    number: int
    delivery: Delivery
    admitted_at: datetime
    changed_at: datetime
    marked_at: datetime | None
    unsent_at: datetime | None
    queue_id: str | None
    history: tuple[Attempt, ...] = ()


@dataclass(frozen=True, slots=True)
class Query:
    """Which deliveries are meant: all that fit every field that is set; `message` is an id or the start of one.

    `due_by` means those whose next attempt is due by then, `last_verdict` those whose last line of history has it.
    """

    states: frozenset[State] = field(default_factory=lambda: frozenset(State))
    recipient: str | None = None
    message: str | None = None
    due_by: datetime | None = None
    last_verdict: str | None = None


@dataclass(frozen=True, slots=True)
class Stuck:
    """Which deliveries wait for a relay of their own: those that may have arrived through one of `take_none`.

    `relays` are all of the configuration; the first one stands for any other, and for one that is not known.
    """

    take_none: frozenset[str]
    relays: tuple[str, ...]


class Ledger(Protocol):
    """Every delivery's state, kept as long as its message lives, and a day longer.

    `is_shared` says that other processes write it, and may leave something behind at any time.
    Every call may raise `errors.LedgerFault`: then nothing of it is written, but for the pieces of a long list.
    """

    is_shared: bool

    @property
    def replicas(self) -> Replicas | None:
        """The senders that share it; None where only one process writes."""

    @property
    def outages(self) -> Outages | None:
        """What the senders that share it know of relays together; None where only one process writes."""

    @property
    def allowances(self) -> Allowances | None:
        """What the senders that share it may send together; None where only one process writes."""

    async def admit(self, messages: Sequence[Message], now: datetime, max_age: timedelta) -> Sequence[UUID]:
        """Take up what is new of these messages, queued and due at once; what is known stays as it is.

        A long list is taken up in pieces: a dot waits for no more than one of them, and a fault leaves those that
        are written. Returns the messages that are newly found to be un-sent: listed long after they were marked.
        """

    async def due(
        self,
        now: datetime,
        limit: int,
        without: Collection[str] = (),
        deadline_by: datetime | None = None,
        stuck: Stuck | None = None,
    ) -> Sequence[Delivery]:
        """Return what is queued and due, longest first, and before it what is past its deadline, held ones too.

        What is due for one of the recipients in `without`, in whatever case, is left out, and so is what has a
        deadline later than `deadline_by`, and what is `stuck`.
        A time so far ahead that no wait can have led to it (the clock was wrong) counts as due.
        """

    async def fresh(self, now: datetime, since: datetime, limit: int) -> Sequence[Delivery]:
        """Return what was admitted after `since` and never tried, in the order of `due`.

        What is past its deadline is left out, and so is what was to be sent before `ASKED_LATELY`.
        Each one stands behind all that is due before it for the same recipient, in whatever case. If that is more
        than `MOST_BEFORE`, only the first of it are returned, and the fresh one is not.
        """

    async def next_due(self, now: datetime) -> datetime | None:
        """Return when the next queued delivery that is not due at `now` will be."""

    async def deliveries(self, message: UUID) -> Sequence[Delivery]:
        """Return a message's deliveries, in the order of their recipients; none if it is not known."""

    async def begin(self, delivery: Delivery) -> Delivery:
        """Claim a queued delivery for an attempt, under a number that no other claim has: queued -> processing.

        The claim need not be committed when this returns. A ledger that only one process writes may write it with
        the next change, or a moment later: after a crash before the dot, nothing was sent either way. All that is
        asked afterwards sees it. If the delivery has changed since it was read, the claim is not written, and then
        the dot and the outcome are `Fenced`. A ledger that several processes write commits the claim, and raises
        `Fenced` itself. So does any ledger that has failed, until it has written again.
        """

    async def dot(self, delivery: Delivery, imprint: Imprint) -> float | None:
        """All but the final dot is written; from here on the mail may have arrived.

        Returns until when the dot may go out, on `clock.elapsed`: afterwards another replica may have taken over.
        None: at any time, because no other process writes the ledger.

        Raises `Fenced` if the claim does not stand any more: the dot must not be written then.
        """

    async def settle(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> bool:
        """Write what became of a delivery; say whether its message has become unmarked by it.

        Raises `Fenced` as above, `IllegalMove` where no such move is.
        """

    async def interrupted(self) -> Sequence[Delivery]:
        """Return what is processing although nobody works on it any more."""

    async def unmarked(self, now: datetime, limit: int | None = None) -> Sequence[UUID]:
        """Return the messages to mark as sent that the server should still know, oldest first."""

    async def to_mark(self, now: datetime, limit: int) -> Sequence[UUID]:
        """Return what of the `unmarked` this process is to mark; with one process that is all.

        What a replica has in hand that is gone is shared by the others. So is what is unmarked for very long.
        """

    async def marked(self, messages: Sequence[UUID], now: datetime) -> None:
        """The server knows that the messages are sent, or does not want to know any more.

        Nothing is written of a message without a delivery that is sent: it stays to be marked after its outcome.
        """

    async def forget(self, now: datetime, keep: Container[UUID] = frozenset()) -> None:
        """Drop what the server should have deleted more than a day ago, except for what it still lists."""

    async def find(self, query: Query, limit: int, before: int | None = None) -> Sequence[Entry]:
        """Return deliveries with their histories, newest first, from those with a smaller number than `before`."""

    async def accepted(self, since: datetime) -> Sequence[tuple[str, datetime]]:
        """Return to whom mails went by attempts that began since then, and when these ended, oldest attempt first.

        Those are the accepted ones, and those that were cut off at the dot and may have arrived.
        """

    async def began(self, name: str, now: datetime) -> datetime:
        """Return when something of that name began: now, if nobody has asked before; the ledger keeps it."""

    async def count(self, query: Query) -> Mapping[State, int]:
        """Return how many deliveries are in each state; states without any are left out."""

    async def summary(self, now: datetime) -> Summary:
        """Return counts and times of all deliveries together, as they were at one moment; no writing waits for it."""

    async def apply_command(
        self, delivery: Delivery, outcome: Outcome, now: datetime, attempt: Attempt | None = None
    ) -> None:
        """Write what the operator wants of a delivery, with the line of history that says so.

        Raises `Fenced` and `IllegalMove` as `settle` does.
        """

    async def close(self) -> None:
        """Write what waits and close; closing twice does no harm."""
