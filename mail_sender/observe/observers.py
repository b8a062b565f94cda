"""The observers: whoever watches the flow for as long as the process lives, across changes of the configuration."""

from datetime import datetime

from mail_sender.observe.activity import Activity
from mail_sender.observe.run_result import Run
from mail_sender.sender.observation import Observation, Observe


class Observers:
    """Passes on each observation of the flow: to the activity, and to others."""

    def __init__(self, started_at: datetime, *others: Observe) -> None:
        self.activity = Activity(started_at)
        self.run = Run()
        self._others = others

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow."""
        self.activity.observe(seen)
        self.run.observe(seen)
        for observe in self._others:
            observe(seen)
