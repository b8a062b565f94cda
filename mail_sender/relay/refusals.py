"""What a relay's refusal means, read from its words: whose fault it is, what to do, and how long to wait.

1. The text is made plain: lower case, without accents, as one line. A lead such as "Recipient address rejected:" is
   left out if a reason follows it, because Postfix puts it before every refusal at RCPT.
2. The first rule of the table (`known_refusals.toml`) that fits decides.
3. Before RCPT no reply can be about a recipient, and only about a mail if that is its size (RFC 5321, section 3.3).
   What says no more than that is the account's there if it is permanent, and the relay's if it is not. Words of a
   policy or of our reputation at MAIL stay what they are: they do not say that the account is at fault.

`sender.own_fault` decides what follows.
"""

import re
from datetime import timedelta
from functools import lru_cache

from mail_sender.backoff import LONGEST_ASKED
from mail_sender.relay.known_refusals import rules, without_accents
from mail_sender.verdict import Blame, RelayDown, Reply, Stage

_STATUS = re.compile(r"(?:^|(?<=#))[245]\.\d{1,3}\.\d{1,3}(?=\s|$|[);:,-])")
_LEAD = re.compile(r"(recipient|rcpt)( address)? (rejected|refused):\s*(?=\S)")
_ADDRESS = re.compile(r"(?:[\w+=%&-]{1,64}\.){0,5}[\w+=%&-]{1,64}@[\w.-]{1,255}")
_JOINT = re.compile(r"(?<=[a-z]{2})(?=[A-Z][a-z]{2})|(?<=[A-Za-z])_(?=[A-Za-z])")
_WAIT = re.compile(r"(?<![\w.;/\[-])(\d{1,5}) ?(s|secs?|seconds?|m|mins?|minutes?|h|hours?)\b", re.IGNORECASE)
_SECONDS = {"s": 1, "m": 60, "h": 3600}
_LOGIN_WANTED = frozenset({530, 534, 535, 538})
_BUSY = frozenset({421, 431, 441, 442, 447, 452})

_ADVICE = {
    Blame.QUOTA: "the account has used up what it may send for now: wait until the relay takes mail again, or raise "
    "the limit at the provider",
    Blame.PACE: "the relay wants mail more slowly still: read the provider's limits",
    Blame.RELAY: "read the relay's log or the provider's status page",
}
_ADVICE_ELSE = (
    "if it says so to every mail, this login may not send from mail_from_address, or not to other domains: "
    "check mail_username and the provider's verified senders"
)


def blame(stage: Stage, reply: Reply) -> Blame:
    """Say whose fault a refusal (4xx or 5xx) is."""
    said = reply.whole or reply.text
    found = _by_words(reply.code, said)
    if stage.has_recipient or found.is_ours or found.passes:
        return found
    if stage is Stage.MAIL and (found is Blame.MESSAGE or reply.code == 552):
        return Blame.MESSAGE
    if _WAIT.search(said):
        return Blame.PACE
    # A code alone, such as 5.7.1, says less than words.
    is_policy = found is Blame.AMBIGUOUS and reply.code not in _LOGIN_WANTED
    if stage is Stage.MAIL and is_policy and _by_words(reply.code, _STATUS.sub("", said)) is found:
        return found
    return Blame.ACCOUNT if reply.code >= 500 else Blame.RELAY


def advice(found: Blame) -> str:
    """Return what to do about a refusal that is not the mail's fault."""
    return _ADVICE.get(found, _ADVICE_ELSE)


def relay_down(stage: Stage, reply: Reply, found: Blame, cure: str | None = None) -> RelayDown:
    """Return the verdict on a refusal that is not the mail's fault, or may not be; `cure` takes `advice`'s place."""
    lasting = found is Blame.ACCOUNT or (reply.code >= 500 and not found.passes)
    return RelayDown(stage, f"the relay answers {reply}", cure or advice(found), lasting, reply, found)


def asked_wait(reply: Reply) -> timedelta:
    """Return how long a refusal asks us to wait, as greylisting does; 0 if it does not."""
    found = _WAIT.search(reply.whole or reply.text)
    if found is None:
        return timedelta(0)
    seconds = int(found[1]) * _SECONDS[found[2][0].lower()]
    return min(timedelta(seconds=seconds + 5), LONGEST_ASKED)


def plain(text: str) -> str:
    """Return a text as the rules compare it: one line in lower case, without accents, `QuotaExceeded` in two words.

    An address is an @, because its words say nothing.
    """
    apart = (word if "://" in word else _JOINT.sub(" ", word) for word in _ADDRESS.sub("@", text).split())
    return " ".join(without_accents(" ".join(apart)).casefold().split())


@lru_cache(maxsize=256)
def _by_words(code: int, said: str) -> Blame:
    """Return whose fault the words say it is; a relay says the same to many mails."""
    text = plain(said)
    status = found[0] if (found := _STATUS.search(text)) else ""
    reason = _LEAD.sub("", text, count=1)
    if reason != text and status.startswith(("5.7.", "5.4.")):
        status = ""  # the reason says more than these
    rule = next((rule for rule in rules() if rule.fits(reason, status)), None)
    if rule is not None:
        return rule.blame
    if reason != text:
        return Blame.RECIPIENT
    if code in _LOGIN_WANTED:
        return Blame.ACCOUNT
    if code == 552:
        return Blame.AMBIGUOUS
    return Blame.RELAY if code in _BUSY else Blame.UNCLEAR
