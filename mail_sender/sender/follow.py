"""Follow: what a replica does beside another one that polls.

1. It lists nothing. The poller admits what is new into the ledger that both share, and gives news of it; then the
   dispatcher reads what is due, in this replica's share.
2. Contents of messages are secrets, and nowhere but in memory and on the server. So each message is read from there
   when its turn comes (`current_message`).
3. The account's standing is checked as a poller does: each replica may have a token of its own. With it comes the
   server's time, by which links expire. A time that has moved against ours is asked for twice, and the earlier one
   counts.
4. What the server does not give this replica is left to the others (`left_to_others`). Its word that a message is
   gone would need a list to agree, and its server may lag behind the one that was polled: the poller finds out.
5. While the token or the way to the server is at fault, this replica mails nothing, has no share of what is due, and
   looks again after a while, longer each time. Only a poller that has given its role up for that reason still mails
   what its own last list holds, if nobody else does.
"""

from mail_sender.backoff import LOOK_WAITS
from mail_sender.clock import Clock
from mail_sender.errors import ServerFault
from mail_sender.sender.account import STANDING_SECONDS, Account
from mail_sender.sender.heartbeat import Heartbeat
from mail_sender.sender.observation import Followed, PollFailed
from mail_sender.sender.parts import Parts
from mail_sender.sender.role import Role
from mail_sender.sender.server_time import ServerTime
from mail_sender.sender.snapshot import Snapshot

FOLLOWS_EVERY = 5.0
"""Seconds after which it is seen that a mail has met a fault of the server."""


class Follower:
    """What stands in the poller's place while another replica polls."""

    def __init__(
        self, parts: Parts, snapshot: Snapshot, account: Account, time: ServerTime, role: Role, clock: Clock
    ) -> None:
        self._parts = parts
        self._snapshot = snapshot
        self._account = account
        self._time = time
        self._role = role
        self._clock = clock
        self._wait = 0.0
        self._not_before = float("-inf")

    async def follow(self, heartbeat: Heartbeat) -> float:
        """Look at the server, if it is time to; return the seconds until the next turn."""
        self._snapshot.follows = True
        began = self._clock.monotonic()
        if began < self._not_before:
            return self._not_before - began
        if not self._account.is_to_be_checked and self._snapshot.has_nothing_of_its_own:
            return FOLLOWS_EVERY
        heartbeat.within(2 * STANDING_SECONDS)
        try:
            await self._look()
        except ServerFault as fault:
            now = self._clock.now()
            self._snapshot.note(fault, now)
            self._role.cannot_mail()
            self._parts.observe(PollFailed(now, self._clock.monotonic() - began, fault.kind))
            self._wait = fault.retry_after or LOOK_WAITS.longer(self._wait)
            self._not_before = self._clock.monotonic() + self._wait
            return self._wait
        self._wait = 0.0
        self._snapshot.follow(self._clock.now())
        self._role.is_good()
        self._parts.observe(Followed(self._clock.now(), self._clock.monotonic() - began))
        return FOLLOWS_EVERY

    async def _look(self) -> None:
        at = (await self._account.check()).at
        off = self._time.ahead(at)
        if off is not None and not self._time.is_expected(off):
            other = self._time.ahead((await self._account.check()).at)
            off = off if other is None else other if self._time.is_expected(other, off) else min(off, other)
            at = self._clock.now() + off
        self._time.learn(at)
