"""The current message: whether the message of a delivery is still to be mailed, and what it says now.

1. A message that a poll saw after the delivery became due, and within the last minutes, is current.
2. Any other message is read from the server again. It is not mailed if it is gone there, marked there, past its
   deadline or without this recipient.
3. If the server cannot be read, the message is used as the last good poll saw it. If that poll did not see it, the
   delivery is put off.

404 means that the message is gone, or that our account has lost its group and everything is hidden from it: the
account's standing tells which (docs/kanidm-wire.md).
"""

from mail_sender.backoff import FRESH, PUT_OFF
from mail_sender.clock import Clock
from mail_sender.errors import MessageGone, ServerFault
from mail_sender.ledger.base import Delivery
from mail_sender.message import Found, Message
from mail_sender.sender import attempt_end
from mail_sender.sender.attempt_end import End
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source.base import Source


class CurrentMessage:
    """Finds the message of a delivery, in the snapshot or on the server."""

    def __init__(self, source: Source, snapshot: Snapshot, clock: Clock) -> None:
        self._source = source
        self._snapshot = snapshot
        self._clock = clock

    async def of(self, delivery: Delivery) -> Message | End:
        """Return the message to be mailed, or how the attempt ends without a mail.

        Raises `ServerFault` if the token is at fault: then nothing may be mailed.
        """
        known = self._snapshot.messages.get(delivery.message)
        found = known if known is not None and self._is_current(delivery) else await self._read(delivery, known)
        if isinstance(found, Message) and delivery.recipient not in found.recipients:
            return self._withdrawn(delivery, "the message on the server does not name this recipient")
        return found

    def _is_current(self, delivery: Delivery) -> bool:
        at = self._snapshot.at
        return at is not None and not delivery.copy and delivery.next_attempt <= at > self._clock.now() - FRESH

    async def _read(self, delivery: Delivery, known: Message | None) -> Message | End:
        if known is not None and self._snapshot.conditions.server.fault:
            return known
        try:
            found = await self._source.read(delivery.message)
        except MessageGone:
            return await self._gone(delivery)
        except ServerFault as fault:
            if fault.kind.is_of_the_token:
                await self._source.standing()  # raises where it is the token's, and not this message's
            elif known is not None:
                return known
            return self._put_off(delivery)
        return self._still_wanted(delivery, found)

    def _still_wanted(self, delivery: Delivery, found: Found) -> Message | End:
        if found.sent_at is not None and not delivery.copy and not delivery.marked:
            return self._withdrawn(delivery, "somebody else marked it as sent on the server")
        if found.message.deadline <= (now := self._clock.now()):
            return attempt_end.expired(delivery, now)
        return found.message

    async def _gone(self, delivery: Delivery) -> End:
        try:
            await self._source.standing()
        except ServerFault as fault:
            if fault.kind.is_of_the_token:
                raise
            return self._put_off(delivery)
        return self._withdrawn(delivery, "the server does not have it any more")

    def _put_off(self, delivery: Delivery) -> End:
        return attempt_end.put_off(delivery, self._clock.now(), PUT_OFF)

    def _withdrawn(self, delivery: Delivery, why: str) -> End:
        return attempt_end.withdrawn(delivery, why, self._clock.now())
