"""The handover of one mail to the relay: what the relay answers, whose fault a refusal is, and what follows.

1. The ledger commits the dot, with the mail's imprint, before the dot goes out: after a crash the ledger says that
   the mail may have arrived. If the commit fails, the mail is stopped before its dot. So it is where the ledger is
   shared and the claim may have been taken over by the time at which the dot would go out.
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
from mail_sender.relay.transport import DotLate
from mail_sender.sender import attempt_end, events, settle
from mail_sender.sender.attempt_end import End
from mail_sender.sender.config import RetryConfig
from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.parts import Parts
from mail_sender.sender.relays import Grant, Relay
from mail_sender.verdict import Accepted, Blame, RelayDown, Stage, Throttled, Uncertain, Verdict

_CUT_TWICE = "several mails in a row were cut off after the final dot"


class Handover:
    """Hands claimed mails over to the relay."""

    def __init__(self, parts: Parts, ledger_gate: LedgerGate, retry: RetryConfig, clock: Clock) -> None:
        self._parts = parts
        self._ledger_gate = ledger_gate
        self._retry = retry
        self._clock = clock
        self._dice = random.Random().random  # noqa: S311 - it spreads retries, and keeps no secret

    async def send(self, claimed: Delivery, mail: Mail, granted: Grant) -> End:
        """Hand a mail over, and return how that ended. Raises `ChangedMeanwhile` if the claim does not hold."""
        at, started, relay = self._clock.now(), self._clock.monotonic(), granted.relay
        try:
            verdict = await relay.transport.send(mail, lambda: self._before_dot(claimed, mail, granted))
        except LedgerFault as fault:
            self._ledger_gate.close(fault)
            return attempt_end.stopped(claimed, at, relay.place)
        except DotLate:
            events.dot_late(claimed)
            return attempt_end.late(claimed, at, relay.place)
        if isinstance(verdict, Accepted | Uncertain):
            self._parts.recent_mails.went(claimed, self._clock.now())
        judged = relay.gate.judge(granted.permit, verdict, self._clock.monotonic())
        outcome = settle.outcome(claimed, judged, self._clock.now(), self._retry, self._dice)
        self._report(judged, claimed, outcome, relay)
        self._parts.relays.note(claimed.key, judged, self._clock.monotonic())
        line = settle.attempt(judged, at, self._clock.monotonic() - started)
        return End(claimed, outcome, replace(line, relay=relay.place), is_kept=True)

    async def _before_dot(self, claimed: Delivery, mail: Mail, granted: Grant) -> float | None:
        imprint = Imprint(mail.message_id, mail.date, mail.digest, granted.relay.place)
        with self._ledger_gate.measured("dot"):
            until = await self._parts.ledger.dot(claimed, imprint)
        self._ledger_gate.works()
        self._parts.in_flight.put(replace(claimed, dot=True, imprint=imprint))
        granted.relay.gate.reached_dot(granted.permit, self._clock.monotonic())
        return until

    def _report(self, verdict: Verdict, delivery: Delivery, outcome: Outcome, relay: Relay) -> None:
        now, condition = self._clock.now(), relay.condition
        if isinstance(verdict, RelayDown):
            if _is_one_mails(verdict, relay):
                events.put_off(delivery, verdict.stage, verdict.detail)
            elif verdict.blame is not Blame.RECIPIENT or condition.fault is None:  # a known fault is likelier
                condition.down(verdict.stage, verdict.detail, verdict.advice, now)
            return
        if isinstance(verdict, Throttled) and verdict.is_own:
            events.put_off(delivery, verdict.stage, f"the relay answers {verdict.reply}")
            return
        if isinstance(verdict, Throttled):
            events.throttled(delivery, verdict, *relay.gate.pace(self._clock.monotonic()))
            return
        via = None if relay is self._parts.relays.first else relay.place
        events.verdict(verdict, delivery, outcome, now, via)
        if relay.gate.is_closed:
            condition.up(now)
        elif isinstance(verdict, Uncertain):
            condition.down(Stage.DOT, _CUT_TWICE, "read the relay's log: the relay may be slow, or fail", now)


def _is_one_mails(down: RelayDown, relay: Relay) -> bool:
    """Say whether other mail goes on, or goes at once to show whether this one mail is to blame."""
    if relay.gate.is_closed:
        return True
    return down.blame.is_of_the_mail and not relay.gate.has_failed_probe
