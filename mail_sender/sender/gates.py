"""The gates that a delivery passes before its mail goes, together."""

from dataclasses import dataclass

from mail_sender.sender.ledger_gate import LedgerGate
from mail_sender.sender.relays import Relays
from mail_sender.sender.reputation_gate import ReputationGate


@dataclass(frozen=True, slots=True)
class Gates:
    """Whether the ledger can be written, a relay takes mail, and the operator's limits let it go."""

    ledger: LedgerGate
    relays: Relays
    reputation: ReputationGate
