"""The current message: whether the message of a delivery is still to be mailed, and what it says now.

1. A message that a poll saw after the delivery became due, and within the last minutes, is current.
2. Any other message is read from the server again. It is not mailed if it is gone there, marked there, past its
   deadline or without this recipient.
3. If the server cannot be read, the message is used as the last good poll saw it. If that poll did not see it, the
   delivery is put off.
4. The message of a mail that may have arrived is read in any case, since what the server says is sent is not sent
   again. If it cannot be read, the delivery is put off until the next good poll lists it.

404 means that the message is gone, or that our account has lost its group and everything is hidden from it: the
account's standing tells which (docs/kanidm-wire.md). Even then the message counts as gone only once the next good
poll lacks it too (`snapshot`); until then the delivery is put off.

A replica that follows another one's polls has no poll to wait for: what would be put off is left to the others, and
nothing is written of it (`follow`).
"""

from datetime import datetime

from mail_sender.backoff import FRESH, PUT_OFF
from mail_sender.clock import TOLERANCE, Clock
from mail_sender.condition import Condition
from mail_sender.errors import MessageGone, ServerFault, ServerFaultKind
from mail_sender.ledger.base import Delivery
from mail_sender.message import Found, Message
from mail_sender.sender import attempt_end
from mail_sender.sender.attempt_end import End
from mail_sender.sender.left_to_others import NotGiven
from mail_sender.sender.snapshot import Snapshot
from mail_sender.source.base import Source

_OF_THE_NETWORK = frozenset({ServerFaultKind.UNREACHABLE, ServerFaultKind.UNTRUSTED, ServerFaultKind.OVERLOADED})


class CurrentMessage:
    """Finds the message of a delivery, in the snapshot or on the server."""

    def __init__(self, source: Source, snapshot: Snapshot, clock: Clock) -> None:
        self._source = source
        self._snapshot = snapshot
        self._clock = clock
        self._reading = Condition("reading")

    async def of(self, delivery: Delivery) -> Message | End:
        """Return the message to be mailed, or how the attempt ends without a mail.

        Raises `ServerFault` if the token is at fault, or the way to the server of a replica that has no list: then
        nothing may be mailed. Raises `NotGiven` where the others are to mail it, who may be given it.
        """
        known = self._snapshot.messages.get(delivery.message)
        found = known if known is not None and self._is_current(delivery) else await self._read(delivery, known)
        if isinstance(found, Message) and delivery.recipient not in found.recipients:
            return self._withdrawn(delivery, "the message on the server does not name this recipient")
        return found

    def _is_current(self, delivery: Delivery) -> bool:
        if delivery.ambiguous:
            return False
        at = self._snapshot.at
        return at is not None and not delivery.copy and delivery.next_attempt <= at > self._clock.now() - FRESH

    async def _read(self, delivery: Delivery, known: Message | None) -> Message | End:
        may_be_over = delivery.ambiguous > 0 or self._snapshot.may_be_gone(delivery.message)
        if known is not None and self._snapshot.conditions.server.fault and not may_be_over:
            return known
        try:
            found = await self._source.read(delivery.message)
        except MessageGone:
            return await self._gone(delivery, known)
        except ServerFault as fault:
            self._report(fault)
            if fault.kind.is_of_the_token:
                await self._source.standing()  # raises where it is the token's, and not this message's
            elif self._snapshot.follows and known is None and fault.kind in _OF_THE_NETWORK:
                raise
            elif not may_be_over:
                return known or self._put_off(delivery)
            return self._as_the_next_poll_says(delivery, known, is_gone=False)
        self._reading.up(self._clock.now())
        self._snapshot.settle_doubt(delivery.message)
        return self._still_wanted(delivery, found)

    def _still_wanted(self, delivery: Delivery, found: Found) -> Message | End:
        if found.sent_at is not None and _is_mark_of(delivery, found.sent_at):
            who = "it is marked" if delivery.ambiguous else "somebody else marked it"
            return self._withdrawn(delivery, f"{who} as sent on the server")
        if found.message.deadline <= (now := self._clock.now()):
            return attempt_end.expired(delivery, now)
        return found.message

    async def _gone(self, delivery: Delivery, known: Message | None) -> Message | End:
        try:
            await self._source.standing()
        except ServerFault as fault:
            if fault.kind.is_of_the_token:
                raise
            return self._put_off(delivery)
        if self._snapshot.is_gone(delivery.message):
            self._snapshot.settle_doubt(delivery.message)
            return self._withdrawn(delivery, "the server does not have it any more")
        return self._as_the_next_poll_says(delivery, known, is_gone=True)

    def _as_the_next_poll_says(self, delivery: Delivery, known: Message | None, *, is_gone: bool) -> Message | End:
        """Return the message once a good poll lists it, although it could not be read; until then, it is put off."""
        if known is not None and self._snapshot.is_there(delivery.message):
            self._snapshot.settle_doubt(delivery.message)
            return known
        if not self._snapshot.follows:
            self._snapshot.doubt(delivery.message, is_gone=is_gone)
        return self._put_off(delivery)

    def _report(self, fault: ServerFault) -> None:
        """Report once that the server answers, but not with a message; faults of the network are the poll's."""
        if fault.kind not in _OF_THE_NETWORK:
            advice = f"{fault.advice}; messages are read again, or mailed as the last poll saw them"
            self._reading.down(fault.kind, fault.detail, advice, self._clock.now())

    def _put_off(self, delivery: Delivery) -> End:
        if self._snapshot.follows:
            raise NotGiven
        return attempt_end.put_off(delivery, self._clock.now(), PUT_OFF)

    def _withdrawn(self, delivery: Delivery, why: str) -> End:
        return attempt_end.withdrawn(delivery, why, self._clock.now())


def _is_mark_of(delivery: Delivery, sent_at: datetime) -> bool:
    """Say whether a mark on the server is a reason not to mail a delivery.

    The mark of an earlier copy, or for another recipient, is none. Where the delivery itself may have arrived, every
    mark is one, unless it is older than the copy that was cut off.
    """
    if delivery.ambiguous:
        date = delivery.imprint.date if delivery.copy and delivery.imprint else sent_at
        return sent_at >= date - TOLERANCE
    return not delivery.copy and not delivery.marked
