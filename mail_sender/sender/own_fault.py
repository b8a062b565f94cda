"""Whose fault a refusal is: this mail's, or that of the relay, of our account, or of our pace.

The words of the reply say it (`relay.refusals`), as far as they do. Where they do not, the relay's earlier answers
decide, to this delivery and to others:

    a refusal in a mail says            and before                            it is the fault of
    pace or quota, after RCPT, as before    another mail was accepted since   nobody: only this mail is put off
    pace                                                                      our pace
    quota                                                                     the relay
    account, relay, ambiguous                                                 the relay, perhaps
    message, unclear                    one like it, to another delivery      the relay, perhaps
    recipient (5xx)                     two like it, to two or more domains   the relay, perhaps
    recipient (4xx)                     that, and none accepted for a while   the relay, perhaps
    message, unclear, recipient         less than that                        this mail
    account or relay, suspected before  another mail was accepted since then  nobody: it is deferred
    whatever else, suspected before     another mail was accepted since then  this mail

"Before" means since the relay last accepted a mail, within an hour. "Like it" means the same text, apart from
addresses and numbers; of permanent refusals that are unclear, any is like the others. A delivery whose refusal may be
the relay's fault stays queued until another mail shows whose it is.

A cut at the final dot of one mail is an accident; cuts of two different mails in a row are the relay's fault.
"""

from collections import deque
from dataclasses import dataclass

from mail_sender.condition import pattern
from mail_sender.ledger.base import Key
from mail_sender.names import address
from mail_sender.relay import refusals
from mail_sender.verdict import (
    Accepted,
    Blame,
    Deferred,
    Refused,
    RelayDown,
    Reply,
    Stage,
    Throttled,
    Uncertain,
    Verdict,
)

SUSPECTED_FOR = 86_400.0
"""Seconds for which a suspected delivery is remembered; a message rarely waits longer."""
MOST_SUSPECTED = 20_000
"""Suspected deliveries that are remembered; of more, the oldest are forgotten, and suspected once again."""
ROW_LASTS = 3_600.0
"""Seconds after which a refusal does not count any more as one before."""
LONGEST_ROW = 100
GREYLISTED_FOR = 900.0
"""Seconds for which temporary refusals of every recipient may be greylisting; a relay whose DNS fails goes on."""

_NEVER_THE_MAILS = frozenset({Blame.ACCOUNT, Blame.RELAY})


@dataclass(frozen=True, slots=True)
class _Refusal:
    """A refusal that nothing accepted has followed yet."""

    key: Key
    blame: Blame
    like: str
    at: float

    @property
    def domain(self) -> str:
        return address.domain(self.key[1]).lower()


class Suspicions:
    """What the relay has answered so far, as far as it matters here. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._suspected = _Remembered()
        self._limited = _Remembered()
        self._accepted_at: float | None = None
        self._refuses_since: float | None = None
        self._row: deque[_Refusal] = deque(maxlen=LONGEST_ROW)
        self._cut: set[Key] = set()

    @property
    def several_cut(self) -> bool:
        """Whether different mails in a row were cut off at the dot."""
        return len(self._cut) > 1

    @property
    def suspected(self) -> int:
        """How many deliveries are remembered as suspected."""
        return len(self._suspected)

    def judge(self, key: Key, verdict: Verdict, now: float) -> Verdict:
        """Return the verdict on a delivery: another one where its refusal is not its own fault, or may not be."""
        match verdict:
            case Accepted():
                self._accepted_at = now
                self._suspected.forget(key)
                self._limited.forget(key)
                self._row.clear()
                self._refuses_since = None
                self._cut.clear()
            case Uncertain():
                self._cut.add(key)
            case RelayDown(stage, reply=Reply() as reply, blame=Blame.PACE) if stage.in_transaction:
                return self._of_limit(key, stage, reply, now) or Throttled(stage, reply)
            case Refused(Stage() as stage, _, Reply() as reply) | Deferred(stage, reply):
                return self._of_refusal(key, verdict, stage, reply, now)
            case _:
                pass
        return verdict

    def _of_refusal(self, key: Key, verdict: Verdict, stage: Stage, reply: Reply, now: float) -> Verdict:
        found = refusals.blame(stage, reply)
        if found.is_a_limit and (limited := self._of_limit(key, stage, reply, now)):
            return limited
        if found is Blame.PACE:
            return Throttled(stage, reply)
        if not self._may_be_the_relays(_Refusal(key, found, _like(found, reply), now), reply):
            return verdict
        if found is not Blame.QUOTA:
            if self._was_cleared(key, self._suspected):
                return Deferred(stage, reply) if found in _NEVER_THE_MAILS else verdict
            self._suspected.add(key, now)
        return refusals.relay_down(stage, reply, found)

    def _of_limit(self, key: Key, stage: Stage, reply: Reply, now: float) -> Verdict | None:
        """Return the verdict on a mail that meets a limit again which others do not meet, None for the first time."""
        is_own = stage.has_recipient and self._was_cleared(key, self._limited)
        self._limited.add(key, now)
        return Throttled(stage, reply, is_own=True) if is_own else None

    def _may_be_the_relays(self, refusal: _Refusal, reply: Reply) -> bool:
        if not refusal.blame.is_of_the_mail:
            return True
        self._row.append(refusal)
        self._refuses_since = refusal.at if self._refuses_since is None else self._refuses_since
        may_be_greylisted = reply.code < 500 and refusal.at < self._refuses_since + GREYLISTED_FOR
        if refusal.blame is Blame.RECIPIENT and may_be_greylisted:
            return False
        before = {
            each.key: each.domain
            for each in self._row
            if each.like == refusal.like and refusal.at - each.at <= ROW_LASTS
        }
        if refusal.blame is Blame.RECIPIENT:
            return len(before) > 2 and len(set(before.values())) > 1
        return len(before) > 1

    def _was_cleared(self, key: Key, among: "_Remembered") -> bool:
        """Say whether the relay accepted another mail after it refused this one; this one is forgotten."""
        since = among.forget(key)
        return since is not None and self._accepted_at is not None and since < self._accepted_at


class _Remembered:
    """Refused deliveries, and when that was, within bounds of time and number."""

    def __init__(self) -> None:
        self._at: dict[Key, float] = {}

    def __len__(self) -> int:
        return len(self._at)

    def forget(self, key: Key) -> float | None:
        """Forget a delivery; return when it was refused, None if it is not remembered."""
        return self._at.pop(key, None)

    def add(self, key: Key, now: float) -> None:
        """Remember a delivery."""
        self._at.pop(key, None)
        self._at[key] = now
        oldest = next(iter(self._at))
        while len(self._at) > MOST_SUSPECTED or now - self._at[oldest] > SUSPECTED_FOR:
            del self._at[oldest]
            oldest = next(iter(self._at))


def _like(blame: Blame, reply: Reply) -> str:
    """Return what two refusals have in common that count as alike."""
    if blame is Blame.UNCLEAR and reply.code >= 500:
        return "unclear"
    return f"{reply.code} {pattern(reply.text)}"
