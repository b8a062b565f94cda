"""The configuration of the flow: when it polls, how long it tries, how long a stop may last."""

from dataclasses import dataclass, field
from datetime import timedelta

from mail_sender.sender.schedule import Schedule


@dataclass(frozen=True, slots=True)
class RetryConfig:
    """How long a delivery is tried: retries after the first attempt, and its age at most, since it was first seen."""

    message_retries: int = 5
    max_age: timedelta = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class SenderConfig:
    """When the sender polls, how long it tries to deliver, and how long a stop may last (seconds).

    Without a schedule it polls once.
    """

    schedule: Schedule | None
    retry: RetryConfig = field(default_factory=RetryConfig)
    stop_grace_seconds: float = 8.0
