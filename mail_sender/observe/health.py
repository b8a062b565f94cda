"""Health: whether a sender is alive, and ready to send mail.

    alive    no loop hangs: each turns, or waits for as long as it said
    ready    alive, the last poll was good, and mail goes through a relay: through the first one, whose breaker is
             closed, or meanwhile through a fallback; so not before the first poll

Nothing to do is healthy. A sender that is alive and not ready is not to be restarted: its server, its relay or its
configuration needs somebody.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from mail_sender.sender.heartbeat import Late
from mail_sender.sender.relay_view import RelayView


@dataclass(frozen=True, slots=True)
class Health:
    """What is known of a running sender's health; `poll_was_good` is None before the first poll has ended.

    `relays` has the first one first; there are none while no configuration is in use yet.
    """

    late: Sequence[Late]
    poll_was_good: bool | None
    relays: Sequence[RelayView]

    @property
    def mail_flows(self) -> bool:
        """Whether mail goes through a relay now, without waiting for a probe."""
        return any(relay.carries for relay in self.relays)

    @property
    def is_alive(self) -> bool:
        """Whether its loops turn."""
        return not self.late

    @property
    def is_ready(self) -> bool:
        """Whether mail that comes now would be sent."""
        return self.is_alive and bool(self.poll_was_good) and self.mail_flows

    def __str__(self) -> str:
        """Say in one line what is known."""
        if self.late:
            hang = " and ".join(f"the {one.loop} loop hangs for {one.seconds:.0f} s" for one in self.late)
            return f"not alive: {hang}"
        if self.is_ready:
            return "alive and ready"
        if self.poll_was_good is None:
            return "alive, not ready: the first poll has not ended"
        if not self.poll_was_good:
            return "alive, not ready: the last poll failed"
        whose = "the relay's breaker" if len(self.relays) < 2 else "the breaker of each relay in turn"
        return f"alive, not ready: {whose} is not closed"
