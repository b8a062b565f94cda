"""What the worker needs from any identity server.

Every call ends within the source's own deadline. A fault of the server, the token or the network is raised as
`ServerFault`; there is no other exception for the network.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from mail_sender.message import Found, Listing, MessageIds


@dataclass(frozen=True, slots=True)
class Standing:
    """Who we are to the server, where that is enough to send mail with.

    `may_write` is None if the server does not say; `excess_groups` are those that a sender does not need; `at` is the
    server's own time if the answer had one.
    """

    account: str
    may_write: bool | None
    excess_groups: tuple[str, ...] = ()
    at: datetime | None = None


Take = Callable[[Listing], Awaitable[None]]
"""What takes a part of a long list."""


async def dropped(_: Listing) -> None:
    """Take a part of a list that nobody needs: only what is said of the whole list is asked for."""


@dataclass(frozen=True, slots=True)
class Known:
    """The ids of a list that was taken up: the next one need not show again what it lists in the very same words.

    Up to the one whose time and id are `wanted` (`MessageIds.oldest`), it shows all of them.
    """

    ids: MessageIds = field(default_factory=MessageIds)
    wanted: bytes = b""


NOTHING = Known()


class Source(Protocol):
    """A queue of messages on an identity server."""

    async def standing(self) -> Standing:
        """Return who we are to the server.

        Raises `ServerFault`, also where that is not enough to send mail with (read-only, not a sender).
        """

    async def list_ready(self, now: datetime, take: Take = dropped, known: Known = NOTHING) -> Listing:
        """Return the messages that are to be sent: unsent, and past their `send_after`, oldest first.

        A long list is handed over in parts, so that it takes little memory: `take` gets all of them but the last one,
        each sorted by itself, with what is known of the list until then; the last one is returned, with what is to
        be said of the whole list. What `take` raises is raised.

        What is `known` is left out, and is among the ids of the list all the same.

        The server's own clock says what is past; `now` counts where the server does not say it. A message that is
        missing from a long list is not gone: long lists may have gaps.
        Raises `ServerFault`, also where parts were handed over before.
        """

    async def read(self, message: UUID) -> Found:
        """Return one message, sent or not.

        Raises `MessageGone` if the server itself, not a proxy, says that it does not know it or does not show it
        to us; `ServerFault` where it does not answer, or with something that cannot be read.
        """

    async def mark_sent(self, message: UUID) -> None:
        """Mark the message as sent; doing so twice does no harm.

        Raises `MessageGone` if the server itself says that it does not know it, `ServerFault` where it could not
        be marked.
        """

    async def close(self) -> None:
        """Give the connections back; closing twice does no harm."""
