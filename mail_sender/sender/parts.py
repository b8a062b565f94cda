"""The parts: what the flow needs from outside, put together by the wiring."""

from dataclasses import dataclass, field

from mail_sender.condition import Conditions
from mail_sender.ledger.base import Ledger
from mail_sender.sender.heartbeat import Heartbeats
from mail_sender.sender.in_flight import InFlight
from mail_sender.sender.left_to_others import LeftToOthers
from mail_sender.sender.observation import Observe, unobserved
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.relays import Relays
from mail_sender.sender.reported import Reported
from mail_sender.source.base import Source


@dataclass(frozen=True, slots=True)
class Parts:
    """Where messages come from, what became of them, and how mail leaves.

    What is in flight, what is faulty, what was reported, who watches, and what limits count outlive a change of the
    configuration. `digest` is one of what shapes the mails, by which replicas tell whether they mail the same.
    """

    source: Source
    ledger: Ledger
    relays: Relays
    in_flight: InFlight = field(default_factory=InFlight)
    conditions: Conditions = field(default_factory=Conditions)
    reported: Reported = field(default_factory=Reported)
    observe: Observe = unobserved
    heartbeats: Heartbeats = field(default_factory=Heartbeats)
    recent_mails: RecentMails = field(default_factory=RecentMails)
    left_to_others: LeftToOthers = field(default_factory=LeftToOthers)
    digest: str = ""
