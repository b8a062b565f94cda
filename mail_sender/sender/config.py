"""The configuration of the flow: when it polls, how long it tries, how long a stop may last, and what limits it."""

from dataclasses import dataclass, field
from datetime import timedelta

from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import Limits
from mail_sender.sender.schedule import Schedule


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How long a delivery is tried: retries after the first attempt, and its age at most, since it was first seen."""

    message_retries: int = 5
    max_age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ReputationConfig:
    """What protects the sender's reputation: limits on what goes to the relay, and a list of disposable domains."""

    limits: Limits = field(default_factory=Limits)
    disposable: Disposable = field(default_factory=Disposable)


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """When the sender polls, how long it tries to deliver, and how long a stop may last (seconds).

    Without a schedule it polls once.
    """

    schedule: Schedule | None
    retry: RetryConfig = field(default_factory=RetryConfig)
    stop_grace_seconds: float = 8.0
    reputation: ReputationConfig = field(default_factory=ReputationConfig)
