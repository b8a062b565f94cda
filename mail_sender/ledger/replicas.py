"""The replicas: the senders that share a ledger, what each tells of itself, and which one polls.

1. Each replica says again and again that it lives (a beat), with what it is and what it can do. What is known of the
   others is as old as the last beat.
2. One of those that stand for it polls the queue for all. Whoever polls keeps that as long as it beats and stands for
   it; it ends with a lease on the ledger's clock, and at once where it is given up, or the replica closes its ledger.
   Two may poll for a moment: that costs a list, and nothing else.
3. What others should look at is told as news. News may be lost or late, and says only where to look: what counts is
   in the ledger.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol
from uuid import UUID


class News(StrEnum):
    """Where to look: `queue`: something was taken up; `command`: an operator has changed deliveries.

    `flush`: he wants what waits tried now, through a relay that was down, too. `replicas`: one has come or gone, or
    another one may poll now.
    """

    QUEUE = "queue"
    COMMAND = "command"
    FLUSH = "flush"
    REPLICAS = "replicas"


Hear = Callable[[News], object]
"""What is called with news, in the event loop's thread; it must not wait."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a replica tells of itself.

    `digest` is one of what shapes its mails, "" where it is not known; `carries` says that it can mail now, as far as
    that is up to itself: a replica that cannot has no share of what is due.
    """

    digest: str = ""
    carries: bool = True


@dataclass(frozen=True, slots=True)
class Replica:
    """A living replica, as it was last seen: host name, process id, version, what it says, and whether it polls.

    `since` is from when on it was seen without a gap, `seen_at` when last, both on the ledger's clock.
    """

    id: UUID
    host: str
    pid: int
    version: str
    since: datetime
    seen_at: datetime
    said: Said
    polls: bool


class Replicas(Protocol):
    """The senders that share one ledger, as one of them sees it; all beats after the first are made by themselves."""

    @property
    def id(self) -> UUID:
        """Who we are among them."""

    @property
    def known(self) -> Sequence[Replica]:
        """All that lived at the last beat, the oldest first, and this one with them; none before the first beat."""

    @property
    def polls(self) -> bool:
        """Whether it is this replica that polls; it may end at any time, without a word."""

    @property
    def said(self) -> Said:
        """What we tell of ourselves."""

    def describe(self, said: Said) -> None:
        """Tell this of ourselves from the next beat on."""

    def stand(self, patience: Callable[[], float | None]) -> None:
        """Stand for being the one that polls, from the next beat on.

        Before each beat, `patience` gives the seconds for which others go first where nobody polls; None: not now,
        and if it is we who poll, that ends with its lease.
        """

    async def beat(self) -> None:
        """Say now that we live, and hear who else does. Raises `LedgerFault`."""

    async def give_up_polling(self) -> None:
        """Let another one poll, at once. Raises `LedgerFault`."""

    async def taking_up(self, at: datetime | None) -> None:
        """A list comes in parts, all of which are admitted as of that time; None: that was all of it.

        What was admitted at that time, or later, is not due for any replica before all of it is there. Where no list
        came in parts, None does nothing. Raises `LedgerFault`: that all is there is then said with the next beat.
        """

    async def announce(self, news: News) -> None:
        """Give news to all others. Raises `LedgerFault`."""

    def hearing(self, hear: Hear) -> AbstractContextManager[None]:
        """Have `hear` called with news while the context lasts; some news may be ours, or come for no reason."""

    async def read(self) -> Sequence[Replica]:
        """Read which replicas live now, also where this is none of them. Raises `LedgerFault`."""
