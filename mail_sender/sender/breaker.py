"""The circuit breaker: whether mail may go to the relay.

    state       a mail                 which ends as                              leads to
    closed      goes                   accepted, refused, deferred, one cut       closed
                                       relay down, cuts of several mails          open for the first wait
                                       a refusal that may be our fault            open for no time: a probe at once
    open        waits; when the wait is over it becomes the probe                 half-open
    half-open   waits for the probe,   accepted                                   closed
                which ends as          refused, deferred                          closed, but where our configuration
                                                                                  is suspected open for no time
                                       relay down, a cut, may be our fault        open for the next wait

The waits double, within bounds that depend on what failed (`mail_sender.backoff`); a relay that names a longer one
is left alone for that long. Only the probe's end counts while
the breaker is open: a mail that was in flight before changes nothing, neither now nor after the breaker was closed
again.
A probe may hang at its final dot for minutes. The next probe does not wait for it, but goes after one more wait of
the same length. The end of either probe counts.

A failure at RCPT or later may be the fault of the recipient's domain, unless the reply says that it is the account's,
a quota's or our pace's. While that is in doubt, mails to other domains do not wait for their turn: up to ten domains
probe, one mail after the other.

Senders that share a ledger share what concerns all of them (`sender.shared_breaker`): the breaker opens and closes,
too, when another one has found the relay down, or has had its probe accepted.
"""

from dataclasses import dataclass, replace

from mail_sender.backoff import ALLOWANCE, LOGIN, NEEDS_A_PERSON, NETWORK, SUSPICION, Backoff
from mail_sender.ledger.base import Key
from mail_sender.names import address
from mail_sender.relay.refusals import asked_wait
from mail_sender.sender.relay_view import BreakerState
from mail_sender.verdict import Accepted, Blame, RelayDown, Stage, Uncertain, Verdict

MOST_DOMAINS = 10
"""Domains that may have probed in one outage, for one more to probe before the wait is over."""


@dataclass(frozen=True, slots=True, eq=False)
class Permit:
    """The permission to send one mail; `period` says how often the breaker had been closed again by then."""

    period: int
    key: Key
    is_probe: bool

    @property
    def domain(self) -> str:
        """The recipient's domain, in lower case."""
        return address.domain(self.key[1]).lower()


@dataclass(frozen=True, slots=True)
class Closed:
    """Mails go. `suspected` says that our configuration may be why one was refused."""

    suspected: bool = False


@dataclass(frozen=True, slots=True)
class Open:
    """Mails wait; half-open while there is a `probe` in flight.

    `wait` is the last wait, in seconds; `probe_at` is when it is over (None: at once). `in_doubt` says that the
    recipient's domain may be to blame; `domains` are those that have probed, or failed.
    """

    wait: float
    probe_at: float | None
    suspected: bool
    in_doubt: bool = False
    domains: frozenset[str] = frozenset()
    probe: Permit | None = None

    def lets_probe(self, permit: Permit, now: float) -> bool:
        """Say whether a mail may go as the probe, with this permit."""
        if self.probe is not None:
            return False
        if self.probe_at is None or now >= self.probe_at:
            return True
        return self.in_doubt and permit.domain not in self.domains and len(self.domains) < MOST_DOMAINS


State = Closed | Open


class Breaker:
    """The breaker of one relay. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._state: State = Closed()
        self._period = 0
        self._since: float | None = None

    @property
    def is_closed(self) -> bool:
        """Whether mails go without waiting for a probe."""
        return isinstance(self._state, Closed)

    @property
    def in_doubt(self) -> bool:
        """Whether the recipient's domain may be to blame, so that another domain may probe at once."""
        return isinstance(self._state, Open) and self._state.in_doubt

    @property
    def has_failed_probe(self) -> bool:
        """Whether mails wait, and not only for a first probe that goes at once."""
        return isinstance(self._state, Open) and self._state.wait > 0

    @property
    def state(self) -> BreakerState:
        """Its state by name: half-open while a probe is in flight."""
        if isinstance(self._state, Closed):
            return "closed"
        return "open" if self._state.probe is None else "half-open"

    @property
    def wait(self) -> float:
        """The last wait for a probe, in seconds; 0 while it is closed."""
        return self._state.wait if isinstance(self._state, Open) else 0.0

    def lasts(self, now: float) -> float | None:
        """Return the seconds since it was opened or closed again last, None if it never was."""
        return None if self._since is None else now - self._since

    def retry_in(self, now: float) -> float | None:
        """Return the seconds until a mail may go, or None while a probe is in flight."""
        if isinstance(self._state, Closed):
            return 0.0
        if self._state.probe is not None:
            return None
        return 0.0 if self._state.probe_at is None else max(0.0, self._state.probe_at - now)

    def probe_now(self) -> None:
        """End the wait: the next mail may go as the probe."""
        if isinstance(self._state, Open):
            self._state = replace(self._state, probe_at=None)

    def open_for(self, wait: float, retry_in: float, now: float) -> None:
        """Wait for so long, as the others do: one of them has found the relay down. A probe in flight goes on."""
        if isinstance(self._state, Closed):
            self._since = now
            self._state = Open(wait, now + retry_in, suspected=False)
        elif self._state.probe is None:
            self._state = replace(self._state, wait=wait, probe_at=now + retry_in, in_doubt=False)

    def close(self, now: float) -> None:
        """Let mails go again: the relay has accepted another sender's."""
        if isinstance(self._state, Open):
            self._state, self._since = Closed(), now
            self._period += 1

    def lets_go(self, key: Key, now: float) -> bool:
        """Say whether `acquire` gives the permission to send a mail."""
        if isinstance(self._state, Closed):
            return True
        return self._state.lets_probe(Permit(self._period, key, is_probe=True), now)

    def acquire(self, key: Key, now: float) -> Permit | None:
        """Return the permission to send a mail, or None if it has to wait."""
        if isinstance(self._state, Closed):
            return Permit(self._period, key, is_probe=False)
        probe = Permit(self._period, key, is_probe=True)
        if not self._state.lets_probe(probe, now):
            return None
        self._state = replace(self._state, probe=probe, domains=self._state.domains | {probe.domain})
        return probe

    def reached_dot(self, permit: Permit, now: float) -> None:
        """Let the next probe go after one more wait: this one may hang at its dot for minutes."""
        if isinstance(self._state, Open) and self._state.probe is permit:
            self._state = replace(self._state, probe=None, probe_at=now + self._state.wait)

    def release(self, permit: Permit) -> None:
        """Forget a probe that ended without a verdict."""
        if isinstance(self._state, Open) and self._state.probe is permit:
            self._state = replace(self._state, probe=None)

    def suspect(self) -> None:
        """Note that our configuration may be why a mail was refused."""
        self._state = replace(self._state, suspected=True)

    def counts(self, permit: Permit) -> bool:
        """Say whether the end of a mail changes the state."""
        return permit.period == self._period and (permit.is_probe or self.is_closed)

    def judge(self, permit: Permit, verdict: Verdict, now: float, *, several_cut: bool) -> None:
        """Take in how a mail ended; `several_cut` says that different mails in a row were cut off at the dot."""
        if not self.counts(permit):
            return
        self.release(permit)
        before, self._state = self._state, _after(self._state, permit, verdict, now, several_cut=several_cut)
        if isinstance(before, Open) and isinstance(self._state, Closed):
            self._period += 1
        if type(before) is not type(self._state):
            self._since = now


def _after(state: State, permit: Permit, verdict: Verdict, now: float, *, several_cut: bool) -> State:
    """Return the state that follows the end of a mail: the table above."""
    is_open = isinstance(state, Open)
    opened = state if isinstance(state, Open) else Open(wait=0.0, probe_at=now, suspected=state.suspected)
    match verdict:
        case RelayDown(stage):
            in_doubt = stage.has_recipient and not verdict.blame.is_ours
            opened = replace(opened, in_doubt=in_doubt, domains=opened.domains | {permit.domain})
            if opened.suspected and not is_open:
                return opened
            asked = asked_wait(verdict.reply).total_seconds() if verdict.reply else 0.0
            return _wait(opened, _backoff(verdict), now, asked)
        case Uncertain() if is_open or several_cut:
            return _wait(opened, NETWORK, now)
        case Accepted():
            return Closed()
        case _:
            return replace(opened, probe_at=now) if opened.suspected else Closed()


def _wait(state: Open, backoff: Backoff, now: float, asked: float = 0.0) -> Open:
    wait = backoff.longer(state.wait)
    return replace(state, wait=wait, probe_at=now + max(wait, asked))


def _backoff(verdict: RelayDown) -> Backoff:
    if verdict.blame is Blame.QUOTA or (verdict.blame is Blame.PACE and not verdict.stage.is_greeting):
        return ALLOWANCE
    if verdict.blame.is_of_the_mail or verdict.blame is Blame.AMBIGUOUS:
        return SUSPICION
    if not verdict.lasting:
        return NETWORK
    return LOGIN if verdict.stage in {Stage.TOKEN, Stage.AUTH} else NEEDS_A_PERSON
