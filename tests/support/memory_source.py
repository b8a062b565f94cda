"""A queue in memory that answers as a server would, or as a test has scripted."""

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import Literal
from uuid import UUID

from mail_sender.errors import MessageGone, ServerTrouble, Trouble
from mail_sender.message import Listing, Message, OddEntry
from mail_sender.source.base import Standing

Call = Literal["standing", "list_ready", "mark_sent"]
SENDER = Standing("mail-sender", may_write=True)


class MemorySource:
    """Messages in memory.

    `calls` names every call in order, `marks` every message that the server was told of, heard or not, `sent` those
    that it knows to be sent. With `forgetful`, it goes on listing what it knows to be sent (a lagging replica). At each mark of a `cursed` message
    it chokes.
    """

    def __init__(self, messages: Iterable[Message] = (), odd: Iterable[OddEntry] = ()) -> None:
        self.messages = list(messages)
        self.odd = tuple(odd)
        self.account = SENDER
        self.forgetful = False
        self.cursed: set[UUID] = set()
        self.calls: list[Call] = []
        self.marks: list[UUID] = []
        self.sent: set[UUID] = set()
        self._script: dict[Call, deque[Exception | None]] = {}

    def script(self, call: Call, *answers: Exception | None) -> None:
        """Have the next calls raise these in turn; None stands for the usual answer, which follows the last one."""
        self._script.setdefault(call, deque()).extend(answers)

    async def standing(self) -> Standing:
        """Return `account`."""
        self._begin("standing")
        return self.account

    async def list_ready(self, now: datetime) -> Listing:
        """Return what is unsent and past its `send_after`, oldest first, and all that is odd."""
        self._begin("list_ready")
        ready = [message for message in self.messages if message.send_after < now and self._shows(message)]
        ordered = sorted(ready, key=lambda message: (message.send_after, message.id))
        return Listing(tuple(ordered), self.odd)

    async def mark_sent(self, message: UUID) -> None:
        """Keep the mark; what was never queued is gone."""
        self.marks.append(message)
        self._begin("mark_sent")
        if message in self.cursed:
            raise trouble(Trouble.ERROR)
        if message not in {known.id for known in self.messages}:
            raise MessageGone
        self.sent.add(message)

    async def close(self) -> None:
        """Do nothing; there is nothing to give back."""

    def _shows(self, message: Message) -> bool:
        return self.forgetful or message.id not in self.sent

    def _begin(self, call: Call) -> None:
        self.calls.append(call)
        script = self._script.get(call)
        if script and (error := script.popleft()) is not None:
            raise error


def trouble(kind: Trouble, retry_after: float | None = None) -> ServerTrouble:
    """Return a trouble of that kind, as a source raises it."""
    return ServerTrouble(kind, f"something about {kind}", "mend it", retry_after)
