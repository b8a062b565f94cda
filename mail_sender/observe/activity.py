"""The activity of a sender since it started: what no ledger keeps, such as its last poll.

It takes in observations of the flow, and keeps the last one of each kind.
"""

from dataclasses import dataclass
from datetime import datetime

from mail_sender.sender.observation import Followed, NextPoll, Observation, Polled, PollFailed


@dataclass(slots=True)
class Activity:
    """What happened last. `poll_was_good` is None before the first poll has ended.

    Of a replica that follows another one's polls, its own looks at the server stand in the polls' place.
    """

    started_at: datetime
    last_poll_at: datetime | None = None
    last_good_poll_at: datetime | None = None
    next_poll_at: datetime | None = None
    poll_was_good: bool | None = None
    ready: int = 0
    malformed: int = 0

    def observe(self, seen: Observation) -> None:
        """Take in an observation of the flow."""
        match seen:
            case Polled(at, _, ready, malformed):
                self.last_poll_at = self.last_good_poll_at = at
                self.poll_was_good = True
                self.ready, self.malformed = ready, malformed
            case Followed(at):
                self.last_poll_at = self.last_good_poll_at = at
                self.poll_was_good, self.next_poll_at = True, None
                self.ready = self.malformed = 0
            case PollFailed(at):
                self.last_poll_at = at
                self.poll_was_good = False
            case NextPoll(at):
                self.next_poll_at = at
            case _:
                pass
