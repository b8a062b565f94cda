"""What a relay's refusal means, read from its words: whose fault it is, and how long to wait.

`RULES` is the one table of known refusals. The first rule that fits a reply decides, and a refusal that fits none
is `UNCLEAR`. To recognise a new wording, add a rule with an example of it: a test asks each rule for its example.

`sender.own_fault` decides what follows. Enhanced status codes are those of RFC 3463 and its IANA registry; where a
reply has none, its text is all there is.
"""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import Enum

from mail_sender.backoff import LONGEST_ASKED
from mail_sender.verdict import Reply


class Blame(Enum):
    """Whose fault a permanent refusal is."""

    MAIL = "this recipient or this message"
    CONFIGURATION = "our login, our sender address, or what the relay lets us do"
    UNCLEAR = "the reply does not say"


@dataclass(frozen=True, slots=True)
class Rule:
    """A known refusal: its enhanced status begins with `status`, and its text has the pattern `words`."""

    blame: Blame
    example: str
    status: str = ""
    words: str = ""

    def fits(self, reply: Reply) -> bool:
        """Say whether a reply is such a refusal."""
        has_status = (reply.enhanced or "").startswith(self.status)
        return has_status and re.search(self.words, reply.text, re.IGNORECASE) is not None


RULES = (
    # The status code says it, whatever the text.
    Rule(Blame.MAIL, "5.1.1 unknown", status="5.1."),
    Rule(Blame.MAIL, "5.2.2 over its limit", status="5.2."),
    Rule(Blame.MAIL, "5.3.4 message too big", status="5.3.4"),
    Rule(Blame.CONFIGURATION, "5.7.26 this mail is unauthenticated", status="5.7."),
    # The text: what we may not do.
    Rule(Blame.CONFIGURATION, "Relay access denied", words=r"relay(ing)?\b.{0,40}\b(den|prohib|not (allow|permit))"),
    Rule(Blame.CONFIGURATION, "not permitted to relay", words="not permitted to relay"),
    Rule(
        Blame.CONFIGURATION,
        "Sender address rejected: not owned by user",
        words=r"sender\b.{0,40}\b(not (allow|permit|verif|authori)|reject|den|unverified)",
    ),
    Rule(Blame.CONFIGURATION, "Email address is not verified", words="not verified"),
    Rule(Blame.CONFIGURATION, "Authentication required", words="authentication (is )?required"),
    # The text: what is wrong with the recipient.
    Rule(Blame.MAIL, "no such user here", words="no such (user|mailbox|recipient)"),
    Rule(
        Blame.MAIL,
        "Recipient not found",
        words="(user|recipient|mailbox|address|account) (is )?"
        "(unknown|not found|does not exist|unavailable|disabled|inactive)",
    ),
    Rule(Blame.MAIL, "Invalid recipient", words="(unknown|invalid) (user|recipient|mailbox|address)"),
    Rule(Blame.MAIL, "Mailbox is full", words="mailbox (is )?full|over quota"),
    Rule(Blame.MAIL, "That name does not exist", words="doesn't exist|does not exist"),
)

_WAIT = re.compile(r"\b(\d{1,5}) ?(s|sec|secs|seconds?|m|min|mins|minutes?)\b", re.IGNORECASE)


def blame(reply: Reply) -> Blame:
    """Say whose fault a permanent refusal (5xx) is."""
    return next((rule.blame for rule in RULES if rule.fits(reply)), Blame.UNCLEAR)


def asked_wait(reply: Reply) -> timedelta:
    """Return how long a temporary refusal (4xx) asks us to wait, as greylisting does; 0 if it does not."""
    found = _WAIT.search(reply.text)
    if found is None:
        return timedelta(0)
    number = int(found[1]) * (60 if found[2].lower().startswith("m") else 1)
    return min(timedelta(seconds=number + 5), LONGEST_ASKED)
