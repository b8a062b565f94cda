"""A channel: one receiver, what it has been sent, and when it is tried again after it did not take an alert."""

from collections.abc import Sequence

import structlog

from mail_sender.backoff import ALERT_WAITS
from mail_sender.clock import Clock
from mail_sender.observe.alerts import firing
from mail_sender.observe.alerts.alert import Alert
from mail_sender.observe.alerts.config import AlertConfig
from mail_sender.observe.alerts.firing import Memory
from mail_sender.observe.alerts.receiver import NotDelivered, Receiver
from mail_sender.observe.alerts.rules import Cause

_log = structlog.get_logger()


class Channel:
    """The way to one receiver. `fault` is why it did not take the last alert, or None."""

    def __init__(self, receiver: Receiver, memory: Memory, config: AlertConfig, clock: Clock) -> None:
        self.memory = memory
        self.fault: NotDelivered | None = None
        self.name = receiver.name
        self._receiver = receiver
        self._config = config
        self._clock = clock
        self._wait = 0.0
        self._not_before = 0.0
        self._is_limited = False

    async def turn(self, causes: Sequence[Cause], *, are_all: bool) -> None:
        """Deliver what is due by now, unless the receiver is left alone for a while."""
        now = self._clock.now()
        self.memory = firing.seen(self.memory, causes, now, are_all=are_all)
        found = firing.due(self.memory, now, self._config)
        self._note_limit(found.held_back)
        if self._clock.monotonic() >= self._not_before:
            await self._deliver(found.alerts)

    async def _deliver(self, alerts: Sequence[Alert]) -> None:
        fault: NotDelivered | None = None
        for alert in alerts:
            try:
                await self._receiver.deliver(alert)
            except NotDelivered as error:
                fault = fault or error
                if not error.is_answered:  # else only this alert may be at fault
                    break
            else:
                self.memory = firing.delivered(self.memory, alert)
                _log.info("alert_sent", key=alert.key, status=alert.status, to=self._receiver.place)
        if alerts:
            self._note(fault)

    def _note(self, fault: NotDelivered | None) -> None:
        self.fault = fault
        self._wait = ALERT_WAITS.longer(self._wait) if fault else 0.0
        asked = fault.retry_after if fault and fault.retry_after else 0.0
        self._not_before = self._clock.monotonic() + max(self._wait, asked)

    def _note_limit(self, held_back: int) -> None:
        """Log once that the limit is reached."""
        if held_back and not self._is_limited:
            text = f"[alert] max_per_hour is reached: {self._receiver.place} gets the others later"
            _log.warning("alerts_limited", held_back=held_back, message=text)
        self._is_limited = bool(held_back)
