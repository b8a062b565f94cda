"""The handover of one mail to the relay: what the relay answers, whose fault a refusal is, and what follows.

1. The ledger commits the dot, with the mail's imprint, before the dot goes out: after a crash the ledger says that
   the mail may have arrived. If the commit fails, the mail is stopped before its dot.
2. The relay gate judges the verdict: the relay or our configuration may have caused a refusal, not this mail.
3. The verdict is reported at once, because it is true even if the ledger fails next. `settle` says what the delivery
   becomes.
"""

import random
from dataclasses import replace

from mail_sender.clock import Clock
from mail_sender.errors import LedgerFault
from mail_sender.ledger.base import Delivery, Imprint, Outcome
from mail_sender.mail.mail import Mail
from mail_sender.sender import attempt_end, events, settle
from mail_sender.sender.attempt_end import End
from mail_sender.sender.config import RetryConfig
from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.parts import Parts
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.verdict import Accepted, Blame, RelayDown, Stage, Throttled, Uncertain, Verdict

_CUT_TWICE = "several mails in a row were cut off after the final dot"


class Handover:
    """Hands claimed mails over to the relay."""

    def __init__(
        self, parts: Parts, ledger_gate: LedgerGate, relay_gate: RelayGate, retry: RetryConfig, clock: Clock
    ) -> None:
        self._parts = parts
        self._ledger_gate = ledger_gate
        self._relay_gate = relay_gate
        self._retry = retry
        self._clock = clock
        self._dice = random.Random().random  # noqa: S311 - it spreads retries, and keeps no secret

    async def send(self, claimed: Delivery, mail: Mail, permit: Permit) -> End:
        """Hand a mail over, and return how that ended. Raises `ChangedMeanwhile` if the claim does not hold."""
        at, started = self._clock.now(), self._clock.monotonic()
        try:
            verdict = await self._parts.transport.send(mail, lambda: self._before_dot(claimed, mail, permit))
        except LedgerFault as fault:
            self._ledger_gate.close(fault)
            return attempt_end.stopped(claimed, at)
        if isinstance(verdict, Accepted | Uncertain):
            self._parts.recent_mails.went(claimed, self._clock.now())
        judged = self._relay_gate.judge(permit, verdict, self._clock.monotonic())
        outcome = settle.outcome(claimed, judged, self._clock.now(), self._retry, self._dice)
        self._report(judged, claimed, outcome)
        line = settle.attempt(judged, at, self._clock.monotonic() - started)
        return End(claimed, outcome, line, is_kept=True)

    async def _before_dot(self, claimed: Delivery, mail: Mail, permit: Permit) -> None:
        with self._ledger_gate.measured("dot"):
            await self._parts.ledger.dot(claimed, Imprint(mail.message_id, mail.date, mail.digest))
        self._parts.in_flight.put(replace(claimed, dot=True))
        self._relay_gate.reached_dot(permit, self._clock.monotonic())

    def _report(self, verdict: Verdict, delivery: Delivery, outcome: Outcome) -> None:
        now, relay = self._clock.now(), self._parts.conditions.relay
        if isinstance(verdict, RelayDown):
            if self._is_one_mails(verdict):
                events.put_off(delivery, verdict.stage, verdict.detail)
            elif verdict.blame is not Blame.RECIPIENT or relay.fault is None:  # what is known is the likelier cause
                relay.down(verdict.stage, verdict.detail, verdict.advice, now)
            return
        if isinstance(verdict, Throttled) and verdict.is_own:
            events.put_off(delivery, verdict.stage, f"the relay answers {verdict.reply}")
            return
        if isinstance(verdict, Throttled):
            events.throttled(delivery, verdict, *self._relay_gate.pace(self._clock.monotonic()))
            return
        events.verdict(verdict, delivery, outcome, now)
        if self._relay_gate.is_closed:
            relay.up(now)
        elif isinstance(verdict, Uncertain):
            relay.down(Stage.DOT, _CUT_TWICE, "read the relay's log: the relay may be slow, or fail", now)

    def _is_one_mails(self, down: RelayDown) -> bool:
        """Say whether other mail goes on, or goes at once to show whether this one mail is to blame."""
        if self._relay_gate.is_closed:
            return True
        return down.blame.is_of_the_mail and not self._relay_gate.has_failed_probe
