"""Whether a refusal may be the fault of our own configuration, and whether cuts at the dot are the relay's.

One reply alone does not show this. The relay's earlier answers, to this delivery and to others, decide:

    a refusal at RCPT or later says (`relay.refusals`)    and before                             it is the fault of
    the recipient, the message                                                                   this mail
    our configuration                                     nothing                                us, perhaps
    unclear                                               at least two like it in a row, and     us, perhaps
                                                          two or more domains among them
    unclear                                               fewer                                  this mail
    whatever, of a mail that was suspected                another mail was accepted since then   this mail

"In a row" means since the relay last accepted a mail. A delivery whose refusal may be our fault stays queued until
another mail shows whose it is. A cut at the final dot of one mail is an accident; cuts of two different mails in a
row are the relay's fault.
"""

from mail_sender import address
from mail_sender.ledger.base import Key
from mail_sender.relay.refusals import Blame, blame
from mail_sender.verdict import Accepted, Refused, RelayDown, Reply, Stage, Uncertain, Verdict

MOST_UNCLEAR = 3
"""Refusals in a row from which on an unclear one is suspected."""
MOST_REMEMBERED = 1_000
"""Suspected deliveries that are remembered; any more are suspected each time."""


class Suspicions:
    """What the relay has answered so far, as far as it matters here. All times are monotonic, in seconds."""

    def __init__(self) -> None:
        self._suspected: dict[Key, float] = {}
        self._accepted_at: float | None = None
        self._refused: dict[Key, str] = {}
        self._cut: set[Key] = set()

    @property
    def several_cut(self) -> bool:
        """Whether different mails in a row were cut off at the dot."""
        return len(self._cut) > 1

    def judge(self, key: Key, verdict: Verdict, now: float) -> Verdict:
        """Return the verdict on a delivery, or `RelayDown` where its refusal may be our fault."""
        match verdict:
            case Accepted():
                self._accepted_at = now
                self._refused.clear()
                self._cut.clear()
            case Uncertain():
                self._cut.add(key)
            case Refused(stage, _, reply) if stage and stage.has_recipient and reply:
                if self._may_be_ours(key, reply) and not self._was_cleared(key):
                    if len(self._suspected) < MOST_REMEMBERED:
                        self._suspected[key] = now
                    return _ours(stage, reply)
            case _:
                pass
        return verdict

    def _may_be_ours(self, key: Key, reply: Reply) -> bool:
        found = blame(reply)
        if found is Blame.MAIL:
            return False
        self._refused[key] = address.domain(key[1]).lower()
        several = len(self._refused) >= MOST_UNCLEAR and len(set(self._refused.values())) > 1
        return found is Blame.CONFIGURATION or several

    def _was_cleared(self, key: Key) -> bool:
        """Say whether the relay accepted another mail after it refused this one; this one is forgotten."""
        since = self._suspected.pop(key, None)
        return since is not None and self._accepted_at is not None and since < self._accepted_at


def _ours(stage: Stage, reply: Reply) -> RelayDown:
    return RelayDown(
        stage,
        f"the relay answers {reply}",
        "if it says so to every mail, this login may not send from mail_from_address, or not to other domains: "
        "check mail_username and the provider's verified senders; mail waits until one is accepted",
        lasting=True,
        reply=reply,
    )
