"""What every receiver of alerts has in common: a webhook, a command."""

from typing import Protocol

from mail_sender import log
from mail_sender.observe.alerts import secrets
from mail_sender.observe.alerts.alert import Alert
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.relay import redaction

SECONDS = 10.0
"""For one delivery; what takes longer is cut off."""
LONGEST_ANSWER = 4_096
"""Octets that are read of what a receiver answers."""
LONGEST_SHOWN = 200
"""Characters that are shown of it."""


class NotDelivered(Exception):
    """A receiver did not take an alert: what happened, and what to do; no secret is in it.

    `is_answered` says that the receiver is there, so that it may take another alert; `retry_after` for how many
    seconds it asked to be left alone.
    """

    def __init__(
        self, detail: str, advice: str, *, is_answered: bool = False, retry_after: float | None = None
    ) -> None:
        super().__init__(f"{detail}; {advice}")
        self.detail, self.advice = detail, advice
        self.is_answered, self.retry_after = is_answered, retry_after


class Receiver(Protocol):
    """Someone who is sent alerts; `name` is the key that names it, `place` what is shown of it."""

    name: str
    place: str

    async def deliver(self, alert: Alert) -> str:
        """Deliver an alert within `SECONDS`, and return what the receiver answered. Raises `NotDelivered`."""


def shown(answer: bytes, config: AlertConfig) -> str:
    """Return what a receiver answered as one short line, without the secrets, which it may repeat."""
    hidden = secrets.parts(config) | secrets.of_command(config)
    text = log.Redactor(secrets.all_of(config) | hidden).text(answer[:LONGEST_ANSWER].decode("utf-8", "replace"))
    return redaction.cleaned(text, tuple(one.get_secret_value() for one in hidden), most=LONGEST_SHOWN)
