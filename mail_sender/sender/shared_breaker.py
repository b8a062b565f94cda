"""What one sender tells the others of a relay's breaker, and hears of theirs, where several share a ledger.

A login that is refused must not be tried by each of them: providers lock accounts. So which faults concern all?

    a relay is down at           and says, or does                           that concerns
    the name, the connection,    whatever                                    this sender: it may be its network, its
    TLS, the greeting                                                        address or its certificates
    the token, the login         anything that lasts, or any reply           all: it is the same account
    MAIL                         a word about the account, a quota, our      all
                                 pace or the relay itself
    RCPT or later                a word about the account, a quota or pace   all
    any                          anything else: of a mail or a recipient,    this sender, until others meet the same
                                 ambiguous, or cut off

1. What concerns all opens the breakers of all, for the same wait. Then one at a time may send the probe: the ledger
   gives the permission (`ledger.outages`). The others' breakers close when its mail is accepted.
2. While no sender has got a mail through lately, nobody knows whether the login is good: one goes first then, too,
   with its breaker closed. So eight senders that start with a wrong password try it once.
3. A sender that starts in an outage need not wait as long as the others do, but keeps the first wait after the last
   failure. An operator who wants a probe has it at once, if none is in flight: one probe, also where all are asked.
4. If the relay refuses this sender again, after it took another one's mail, the fault is this one's own. It tells
   the others no more of it, and its breaker waits for itself.
5. While the ledger does not answer, no mail goes anyway. A sender that has heard nothing for long goes by its own
   breaker alone.
"""

from dataclasses import dataclass, replace

from mail_sender.backoff import LOGIN
from mail_sender.ledger.outages import PROVEN_FOR, Heard, Outage, Report
from mail_sender.sender.breaker import Permit
from mail_sender.verdict import Blame, RelayDown, Stage

NEWS_LASTS = 3.0
"""Seconds for which a mail may go on what was heard."""
ASKED_EVERY = 1.0
"""Seconds between two requests for the permission to try a relay."""
GOES_ALONE = 15.0
"""Seconds without an answer after which a sender goes by its own breaker."""
WORKS_EVERY = 60.0
"""Seconds after which the others are told again that a relay works."""
UNUSED = 5.0
"""Seconds after which a permission that no mail has used is given back."""

_OF_ALL_AT_MAIL = frozenset({Blame.ACCOUNT, Blame.QUOTA, Blame.PACE, Blame.RELAY})


def concerns_all(down: RelayDown) -> bool:
    """Say whether a fault of the relay concerns all senders with the same login: the table above."""
    if down.stage in {Stage.TOKEN, Stage.AUTH}:
        return down.lasting or down.reply is not None
    if down.stage is Stage.MAIL:
        return down.reply is not None and down.blame in _OF_ALL_AT_MAIL
    return down.stage.has_recipient and down.blame.is_ours


@dataclass(frozen=True, slots=True, eq=False)
class _News:
    """What is to be told: an outage that begins or goes on until `retry_at`, or that the relay works, or neither."""

    outage: Outage | None = None
    retry_at: float = 0.0
    works: bool = False


class SharedBreaker:
    """The others' part in the breaker of one relay, which goes by `name`. All times are monotonic, in seconds."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._news: _News | None = None
        self._sent: _News | None = None
        self._heard_at: float | None = None
        self._asked_at = float("-inf")
        self._proven_until = self._works_reported_at = float("-inf")
        self._outage: Outage | None = None
        self._asks = False
        self._may_try_since: float | None = None
        self._trying: Permit | None = None
        self._is_new, self._is_wanted_now = True, False
        self._began_at = self._wanted_at = float("inf")
        self._was_refused = self._others_work = False

    @property
    def is_open(self) -> bool:
        """Whether the relay is down for all, as far as is known here."""
        return self._outage is not None

    @property
    def asks(self) -> bool:
        """Whether a mail waits for the permission to go first."""
        return self._asks

    def is_proven(self, now: float) -> bool:
        """Say whether a mail of anybody has gone through lately."""
        return now < self._proven_until

    def lets_go(self, now: float) -> bool:
        """Say whether a mail may go that the breaker here lets go."""
        return self._may_try_since is not None or not self._needs_permission(now)

    def ask(self, now: float) -> None:
        """Ask for the permission with the next exchange."""
        self._asks = self._asks or now >= self._asked_at + ASKED_EVERY

    def asks_again_in(self, now: float) -> float:
        """Return the seconds until it is worth to try again; 0 where nothing keeps a mail."""
        return 0.0 if self._asks or self.lets_go(now) else max(0.0, self._asked_at + ASKED_EVERY - now)

    def probe_now(self) -> None:
        """Take in that an operator wants a probe at once."""
        self._is_wanted_now, self._wanted_at = True, float("inf")
        self._asked_at = float("-inf")

    def started(self, permit: Permit) -> None:
        """Take in that a mail goes; it has used the permission, if there was one."""
        if self._may_try_since is not None:
            self._may_try_since, self._trying = None, permit
            self._is_new = self._is_wanted_now = False

    def gives_back(self, permit: Permit) -> None:
        """Take in that a mail has told nothing about the relay."""
        if self._trying is permit:
            self._trying = None
            self._news = self._news or _News()

    def works(self, now: float) -> None:
        """Take in that a mail went through."""
        self._trying = None
        self._is_new = self._is_wanted_now = self._was_refused = self._others_work = False
        self._proven_until = now + PROVEN_FOR
        if self._outage is not None or now >= self._works_reported_at + WORKS_EVERY:
            self._outage, self._works_reported_at, self._news = None, now, _News(works=True)

    def failed(self, permit: Permit, down: RelayDown, wait: float, retry_in: float, now: float) -> None:
        """Take in that the breaker here has opened or stays open, for a reason that may concern all."""
        self.gives_back(permit)
        if not concerns_all(down) or (self._was_refused and self._others_work):
            return
        self._was_refused, self._others_work = True, False
        self._proven_until = float("-inf")
        self._outage = Outage(wait, retry_in, down.stage, down.detail, down.advice)
        self._news = _News(self._outage, now + retry_in)

    def reached_dot(self, permit: Permit, wait: float, now: float) -> None:
        """Take in that all but the dot of a mail went through: the next probe does not wait for the answer."""
        if self._trying is not permit:
            return
        if self._outage is None:
            self.works(now)
        else:
            self._news = _News(replace(self._outage, wait=wait), now + wait)

    def report(self, now: float, *, at_end: bool = False) -> Report | None:
        """Return what to exchange now; None where nothing is to be told, and what was heard is fresh.

        At the end, nothing is asked, and the permission is given back.
        """
        self._began_at, self._wanted_at = min(self._began_at, now), min(self._wanted_at, now)
        unused = self._may_try_since is not None and (at_end or now > self._may_try_since + UNUSED)
        if unused:
            self._may_try_since = None
        if at_end:
            self._asks, self._trying = False, None
        is_fresh = at_end or (self._heard_at is not None and now < self._heard_at + NEWS_LASTS)
        self._sent = news = self._news
        if is_fresh and not (self._asks or unused or news or at_end):
            return None
        asked, outage = self._asks, None
        if asked:
            self._asked_at = now
        if news is not None and news.outage is not None:
            outage = replace(news.outage, retry_in=max(0.0, news.retry_at - now))
        works = news is not None and news.works
        gives_back = unused or at_end or news is not None
        return Report(self._name, outage, works, gives_back, asked, self._after(now))

    def _after(self, now: float) -> float | None:
        """Return how old the last failure must be: from before what makes a try worth while."""
        if self._is_wanted_now:
            return now - self._wanted_at
        return max(LOGIN.first, now - self._began_at) if self._is_new else None

    def hear(self, heard: Heard, now: float) -> bool:
        """Take in how the relay stands; say whether that counts: not where more has happened here meanwhile."""
        failed_at = float("-inf") if heard.failed_ago is None else now - heard.failed_ago
        self._is_new = self._is_new and failed_at <= self._began_at  # else somebody has tried meanwhile what we would
        self._is_wanted_now = self._is_wanted_now and failed_at <= self._wanted_at
        self._heard_at, self._asks = now, False
        if heard.may_try:
            self._may_try_since = now
        if self._news is not self._sent:
            return False
        self._news = None
        if heard.outage is None and self._outage is not None and self._was_refused:
            self._others_work = True
        self._outage = heard.outage
        worked_ago = float("inf") if heard.worked_ago is None else max(0.0, heard.worked_ago)
        self._proven_until = float("-inf") if heard.outage else max(self._proven_until, now + PROVEN_FOR - worked_ago)
        return True

    def _needs_permission(self, now: float) -> bool:
        if self._heard_at is not None and now > self._heard_at + GOES_ALONE:
            return False
        return self._heard_at is None or self._outage is not None or not self.is_proven(now)
