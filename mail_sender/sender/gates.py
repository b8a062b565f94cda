"""The gates that a delivery passes before its mail goes, together."""

from dataclasses import dataclass

from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.reputation_gate import ReputationGate
from mail_sender.sender.shared_breakers import SharedBreakers


@dataclass(frozen=True, slots=True)
class Gates:
    """Whether the ledger can be written, and the operator's limits let it go; each relay has its own gate.

    `breakers` are those of the relays, as far as other senders know of them.
    """

    ledger: LedgerGate
    reputation: ReputationGate
    breakers: SharedBreakers
