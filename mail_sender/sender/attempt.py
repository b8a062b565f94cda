"""One delivery attempt, from the delivery that is due to what the ledger and the log say of it.

    current message -> mail -> claim -> handover -> end -> record and report

1. The message is the one that the last poll saw, or is read from the server again (`current_message`).
2. Its mail is made. If the mail may have arrived already, it is made with the same Date and Message-ID.
3. The ledger takes the claim before the conversation with the relay begins. It commits the dot, and with it the
   claim, before the dot goes out (`handover`), and the outcome after the relay's reply (`ledger_gate`).

Each step takes the result of the step before. A step that finds nothing to mail returns the `End` of the attempt
instead. Every end is recorded and reported in the same way.
"""

from collections.abc import Callable
from dataclasses import replace

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault, ServerFault
from mail_sender.ledger.base import Delivery
from mail_sender.ledger.states import FINAL, ChangedMeanwhile
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail, message_id
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.message import Message
from mail_sender.sender import attempt_end, events
from mail_sender.sender.attempt_end import End
from mail_sender.sender.current_message import CurrentMessage
from mail_sender.sender.handover import Handover
from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.left_to_others import NotGiven
from mail_sender.sender.observation import Rendered
from mail_sender.sender.parts import Parts
from mail_sender.sender.relays import Grant
from mail_sender.sender.snapshot import Snapshot


class Attempts:
    """Makes attempts, each independent of the others."""

    def __init__(
        self, parts: Parts, snapshot: Snapshot, mail: MailConfig, gate: LedgerGate, handover: Handover, clock: Clock
    ) -> None:
        self._parts = parts
        self._current_message = CurrentMessage(parts.source, snapshot, clock)
        self._snapshot = snapshot
        self._config = mail
        self._gate = gate
        self._handover = handover
        self._clock = clock

    async def make(self, delivery: Delivery, granted: Grant, freed: Callable[[], object]) -> bool:
        """Mail a delivery, if it is still to be mailed; say whether it is final now. Nothing is raised.

        `freed` is called when the relay has answered: the next mail may go while this one's outcome is written.
        """
        try:
            end = await self._end_of(delivery, granted)
            freed()
            await self._gate.record(end)
            return end.outcome.state in FINAL
        except ServerFault as fault:
            self._snapshot.note(fault, self._clock.now())
        except LedgerFault as fault:
            self._gate.close(fault)
        except ChangedMeanwhile:
            pass  # an operator was faster
        except NotGiven:
            self._parts.left_to_others.leave(delivery, self._clock)
        except Exception as error:  # noqa: BLE001 - a fault of ours in one mail must not stop the others
            events.crashed(delivery, error)
            await self._gate.record(attempt_end.crashed(self._parts.in_flight.latest(delivery), self._clock.now()))
        finally:
            # At once: a recovery that begins before this task has ended would take its claim for one in flight.
            self._parts.in_flight.remove(delivery)
        return False

    async def _end_of(self, delivery: Delivery, granted: Grant) -> End:
        message = await self._current_message.of(delivery)
        if isinstance(message, End):
            return message
        mail = self._mail(delivery, message)
        if isinstance(mail, End):
            return mail
        claimed = await self._parts.ledger.begin(delivery)
        self._parts.in_flight.put(claimed)
        ended = await self._handover.send(claimed, mail, granted)
        return replace(ended, is_only=len(message.recipients) == 1)

    def _mail(self, delivery: Delivery, message: Message) -> Mail | End:
        began = self._clock.monotonic()
        try:
            mail = self._render(delivery, message)
        except Unrenderable as error:
            return attempt_end.failed(delivery, str(error), self._clock.now())
        except BrokenTemplate as error:
            return attempt_end.held(delivery, str(error), self._clock.now())
        self._parts.observe(Rendered(delivery.kind, self._clock.monotonic() - began))
        if mail.fault:
            events.template_failed(delivery, mail.fault)
        return mail

    def _render(self, delivery: Delivery, message: Message) -> Mail:
        config, imprint = self._config, delivery.imprint
        if imprint is None or not delivery.ambiguous:
            identity = message_id(message, delivery.recipient, config, delivery.copy)
            date = self._clock.now().replace(microsecond=0)
            return render(message, delivery.recipient, config, date, identity)
        mail = render(message, delivery.recipient, config, imprint.date, imprint.message_id)
        if mail.digest != imprint.digest:
            events.changed(delivery)
        return mail
