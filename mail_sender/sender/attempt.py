"""Post: carry one delivery, from its claim to what became of it.

1. The message comes from the inbox, where a poll saw it after the delivery became due. Else it is read from the
   server again: what is marked or gone there is withdrawn, not mailed. Where the server does not answer, what the
   inbox has is good enough.
2. Its mail is made. One that may have arrived already is made again as it was: same Date, same Message-ID.
3. The ledger commits the claim before the letter goes, the dot before the dot goes, and the outcome after its reply.
4. An outcome that the ledger does not take is kept and offered again; the server is told of it meanwhile, where the
   message has no other recipient.
"""

import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from mail_sender.backoff import FRESH, LEDGER_WAIT, PUT_OFF
from mail_sender.clock import Clock
from mail_sender.condition import Conditions
from mail_sender.errors import LedgerFault, MessageGone, ServerFault
from mail_sender.ledger.base import Attempt, Delivery, Fenced, Imprint, Ledger, Outcome
from mail_sender.ledger.states import IllegalMove, State
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail, message_id
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.message import Message
from mail_sender.relay.transport import Transport
from mail_sender.sender import events, settle
from mail_sender.sender.breaker import Breaker, Permit
from mail_sender.sender.config import RetryConfig
from mail_sender.sender.in_flight import InFlight, Unwritten
from mail_sender.sender.snapshot import OF_THE_TOKEN, Snapshot
from mail_sender.source.base import Source
from mail_sender.verdict import RelayDown, Stage, Uncertain, Verdict

_CUT_TWICE = "several mails in a row were cut off after the final dot"


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts of the flow that reach outside, what is under way through them, and what is wrong with whom."""

    source: Source
    ledger: Ledger
    transport: Transport
    in_flight: InFlight = field(default_factory=InFlight)
    conditions: Conditions = field(default_factory=Conditions)


@dataclass(frozen=True, slots=True)
class PostConfig:
    """What letters look like, and how often they are tried."""

    mail: MailConfig
    retry: RetryConfig


@dataclass(frozen=True, slots=True)
class Tell:
    """Whom to call when there is a mark to set: where the ledger knows it, or `anyway` where it does not."""

    due: Callable[[], None]
    anyway: Callable[[UUID], None]


class Post:
    """Letters under way.

    `may_have_lost` says that the ledger may hold a claim that nobody works on: at start, and after it failed.
    """

    def __init__(
        self, parts: Parts, snapshot: Snapshot, config: PostConfig, breaker: Breaker, clock: Clock, tell: Tell
    ) -> None:
        self.may_have_lost = True
        self._shut_until = float("-inf")
        self._parts = parts
        self._snapshot = snapshot
        self._config = config
        self._breaker = breaker
        self._clock = clock
        self._tell = tell
        self._relay = snapshot.conditions.relay
        self._in_flight = parts.in_flight
        self._dice = random.Random().random  # noqa: S311 - it spreads retries, and keeps no secret

    async def rest(self) -> None:
        """Give idle connections back."""
        await self._parts.transport.close()

    @property
    def shut_for(self) -> float:
        """The seconds for which nothing is to begin, since the ledger has just failed."""
        return max(0.0, self._shut_until - self._clock.monotonic())

    def fail(self, fault: LedgerFault) -> None:
        """Take in that the ledger failed: nothing begins for a while."""
        self._shut_until = self._clock.monotonic() + LEDGER_WAIT
        self._snapshot.conditions.ledger.down(fault.kind, fault.detail, fault.advice, self._clock.now())

    def _lose_track(self, fault: LedgerFault) -> None:
        """Take in that the ledger failed under a letter, whose claim nobody works on from here on."""
        self.may_have_lost = True
        self.fail(fault)

    async def catch_up(self) -> None:
        """Offer the ledger the outcomes that it did not take.

        Raises `LedgerTrouble` while it still does not.
        """
        async with self._in_flight.writing:
            while unwritten := self._in_flight.unwritten:
                late = unwritten[0]
                # It may have taken it after all, and failed only to say so.
                with suppress(Fenced, IllegalMove):
                    await self._write(late.delivery, late.outcome, late.attempt)
                unwritten.remove(late)

    async def expire(self, delivery: Delivery) -> None:
        """Give a delivery up whose time has run out."""
        outcome = settle.ended(delivery, State.EXPIRED, self._clock.now())
        with suppress(Fenced, IllegalMove):  # the operator was faster
            await self._end(delivery, outcome)
            events.expired(delivery, outcome.state)

    async def carry(self, delivery: Delivery, permit: Permit) -> None:
        """Mail a delivery, if it still is to be; whatever happens, nothing is raised."""
        self._in_flight.mails[delivery.key] = delivery
        try:
            await self._carry(delivery, permit)
        except ServerFault as fault:
            self._snapshot.note(fault, self._clock.now())
        except LedgerFault as fault:
            self._lose_track(fault)
        except (Fenced, IllegalMove):
            pass  # the operator was faster
        except Exception as error:  # noqa: BLE001 - a fault of ours in one letter must not stop the others
            events.crashed(delivery, error)
            await self._set_aside(self._in_flight.mails[delivery.key])
        finally:
            self._in_flight.mails.pop(delivery.key, None)
            self._breaker.release(permit)

    async def _carry(self, delivery: Delivery, permit: Permit) -> None:
        if (message := await self._message(delivery)) is None:
            return
        if (mail := await self._mail(delivery, message)) is None:
            return
        claimed = self._in_flight.mails[delivery.key] = await self._parts.ledger.begin(delivery)
        self._snapshot.conditions.ledger.up(self._clock.now())
        await self._hand_over(claimed, message, mail, permit)

    async def _set_aside(self, delivery: Delivery) -> None:
        """Hold what a fault of ours stopped; what may have arrived goes the way of every cut at the dot."""
        now = self._clock.now()
        held = settle.ended(delivery, State.HELD, now)
        try:
            await self._end(delivery, settle.interrupted(delivery, now) if delivery.dot else held)
        except LedgerFault as fault:
            self._lose_track(fault)
        except (Fenced, IllegalMove):
            pass  # the operator was faster

    # The message

    async def _message(self, delivery: Delivery) -> Message | None:
        known = self._snapshot.messages.get(delivery.message)
        if known is None or not self._is_current(delivery):
            known = await self._read_again(delivery, known)
        if known is not None and delivery.recipient not in known.recipients:
            await self._withdraw(delivery, "the server's message does not name this recipient")
            return None
        return known

    def _is_current(self, delivery: Delivery) -> bool:
        at = self._snapshot.at
        return at is not None and not delivery.copy and delivery.next_attempt <= at > self._clock.now() - FRESH

    async def _read_again(self, delivery: Delivery, known: Message | None) -> Message | None:
        if known is not None and not self._snapshot.conditions.server.is_fine:
            return known
        try:
            found = await self._parts.source.read(delivery.message)
        except MessageGone:
            await self._withdraw_gone(delivery)
            return None
        except ServerFault as fault:
            if fault.kind in OF_THE_TOKEN:
                await self._parts.source.standing()  # raises where it is the token's, and not this message's
            elif known is not None:
                return known
            await self._put_off(delivery)
            return None
        if found.sent_at is not None and not delivery.copy and not delivery.marked:
            await self._withdraw(delivery, "it is marked as sent on the server, by somebody else")
        elif found.message.deadline <= self._clock.now():
            await self.expire(delivery)
        else:
            return found.message
        return None

    async def _withdraw_gone(self, delivery: Delivery) -> None:
        """Withdraw what the server does not show, unless it hides everything from us, or cannot tell."""
        try:
            await self._parts.source.standing()
        except ServerFault as fault:
            if fault.kind in OF_THE_TOKEN:
                raise
            await self._put_off(delivery)
        else:
            await self._withdraw(delivery, "the server does not know it any more")

    async def _put_off(self, delivery: Delivery) -> None:
        await self._end(delivery, settle.put_off(delivery, self._clock.now(), PUT_OFF))

    async def _withdraw(self, delivery: Delivery, why: str) -> None:
        outcome = settle.ended(delivery, State.WITHDRAWN, now := self._clock.now())
        await self._end(delivery, outcome, Attempt(now, "server", "withdrawn", None, why, 0.0))
        events.withdrawn(delivery, outcome.state, why)

    # The letter

    async def _mail(self, delivery: Delivery, message: Message) -> Mail | None:
        now = self._clock.now()
        try:
            mail = self._render(delivery, message)
        except Unrenderable as error:
            why = f"no mail could be made of it: {error}"
            await self._end(delivery, settle.ended(delivery, State.FAILED, now), _not_made(now, "refused", why))
            events.failed(delivery, why)
        except BrokenTemplate as error:
            why = str(error)
            await self._end(delivery, settle.ended(delivery, State.HELD, now), _not_made(now, "held", why))
            events.held(delivery, why)
        else:
            if mail.fault:
                events.template_failed(delivery, mail.fault)
            return mail
        return None

    def _render(self, delivery: Delivery, message: Message) -> Mail:
        config, imprint = self._config.mail, delivery.imprint
        if imprint is None or not delivery.ambiguous:
            identity = message_id(message, delivery.recipient, config, delivery.copy)
            date = self._clock.now().replace(microsecond=0)
            return render(message, delivery.recipient, config, date, identity)
        mail = render(message, delivery.recipient, config, imprint.date, imprint.message_id)
        if mail.digest != imprint.digest:
            events.changed(delivery)
        return mail

    # The relay

    async def _hand_over(self, claimed: Delivery, message: Message, mail: Mail, permit: Permit) -> None:
        at, started = self._clock.now(), self._clock.monotonic()
        try:
            verdict = await self._parts.transport.send(mail, lambda: self._before_dot(claimed, mail, permit))
        except LedgerFault:
            back = settle.put_off(claimed, at)
            self._in_flight.unwritten.append(Unwritten(claimed, back, settle.not_written(at)))
            raise
        judged = self._breaker.judge(permit, verdict, self._clock.monotonic())
        outcome = settle.outcome(claimed, judged, self._clock.now(), self._config.retry, self._dice)
        self._say(judged, claimed, outcome)
        line = settle.attempt(judged, at, self._clock.monotonic() - started)
        try:
            await self._write(claimed, outcome, line)
        except LedgerFault:
            self._in_flight.unwritten.append(Unwritten(claimed, outcome, line))
            if outcome.state is State.SENT and len(message.recipients) == 1:
                self._tell.anyway(message.id)
            raise

    async def _before_dot(self, claimed: Delivery, mail: Mail, permit: Permit) -> None:
        await self._parts.ledger.dot(claimed, Imprint(mail.message_id, mail.date, mail.digest))
        self._in_flight.mails[claimed.key] = replace(claimed, dot=True)
        self._breaker.reached_dot(permit, self._clock.monotonic())

    def _say(self, verdict: Verdict, delivery: Delivery, outcome: Outcome) -> None:
        now = self._clock.now()
        if isinstance(verdict, RelayDown):
            if not self._breaker.is_closed:
                self._relay.down(verdict.stage, verdict.detail, verdict.advice, now)
            else:
                events.put_off(delivery, verdict)
            return
        events.verdict(verdict, delivery, outcome, now)
        if self._breaker.is_closed:
            self._relay.up(now)
        elif isinstance(verdict, Uncertain):
            self._relay.down(Stage.DOT, _CUT_TWICE, "look at the relay's log: it may be slow, or fail", now)

    # The ledger

    async def _write(self, delivery: Delivery, outcome: Outcome, attempt: Attempt) -> None:
        if await self._parts.ledger.settle(delivery, outcome, self._clock.now(), attempt):
            self._tell.due()

    async def _end(self, delivery: Delivery, outcome: Outcome, attempt: Attempt | None = None) -> None:
        """Settle a delivery that was not begun."""
        if await self._parts.ledger.settle(delivery, outcome, self._clock.now(), attempt):
            self._tell.due()


def _not_made(now: datetime, verdict: str, why: str) -> Attempt:
    """Return the line of history of a mail that could not be made."""
    return Attempt(now, "render", verdict, None, why, 0.0)
