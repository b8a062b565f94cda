"""What those who show a sender ask it for: which loops hang, and its status."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from mail_sender.observe.status import Status
from mail_sender.sender.heartbeat import Late


@dataclass(frozen=True, slots=True)
class Watched:
    """A sender at work. `late` waits for nothing; `status` may wait for the ledger."""

    late: Callable[[], list[Late]]
    status: Callable[[], Awaitable[Status]]
