"""What the state of a delivery means, and what the operator does next: two sentences for each case."""

from mail_sender.control.response import ResponseLine
from mail_sender.control.verbs import VERBS

Meaning = tuple[str, str]
"""What the state means, and what to do next."""


def of(entry: ResponseLine, due: str) -> Meaning:
    """Return what it means that a delivery is in its state; `due` says when a queued one is tried next."""
    if entry["status"] == "withdrawn" and entry["copy"]:
        return _COPY_WITHDRAWN
    if entry["status"] == "abandoned":
        return _abandoned(entry)
    if entry["status"] != "queued":
        return _MEANINGS[entry["status"]]
    meaning, advice = _WAITING["uncertain"] if entry["ambiguous"] else _WAITING.get(_last_verdict(entry), _NOT_YET)
    return f"{meaning}; next attempt {due}.", advice


def _last_verdict(entry: ResponseLine) -> str | None:
    return entry["last_attempt"]["verdict"] if entry["last_attempt"] else None


def _abandoned(entry: ResponseLine) -> Meaning:
    """Return what it means that somebody gave a delivery up, or that the last retry failed."""
    by_hand = _last_verdict(entry) == VERBS["abandon"].history
    meaning = "Somebody gave it up." if by_hand else "The relay did not take it in any of its attempts."
    if entry["copy"]:
        meaning = "Somebody gave this copy up; the lines below say what became of the first one."
    if entry["ambiguous"]:
        meaning += " It was cut off at the dot, and may have arrived."
    return meaning, "`mail-sender queue retry` starts over, as long as its deadline is ahead."


_FLUSH = "`mail-sender queue flush` tries at once."
_NOT_YET = ("It could not be sent yet", f"nothing: it is tried again automatically; {_FLUSH}")
_BY_OPERATOR = ("An operator has queued it again", f"nothing; {_FLUSH}")
_WAITING = {
    None: ("It waits for its first attempt", f"nothing; {_FLUSH}"),
    VERBS["retry"].history: _BY_OPERATOR,
    VERBS["resend"].history: _BY_OPERATOR,
    "deferred": ("The relay did not take it yet", f"nothing: it is tried again automatically; {_FLUSH}"),
    "relay_down": (
        "The relay is unusable, and not because of this message",
        f"mend what `queue list` names; {_FLUSH}",
    ),
    "uncertain": (
        "It was cut off at the dot and may have arrived; the same mail is sent once more",
        "nothing; both mails have the same Message-ID, and most mailboxes show only one.",
    ),
}
_COPY_WITHDRAWN = (
    "The copy was not sent: the server did not have the message any more, or not for this recipient.",
    "the lines below say what became of the first one; if that is missed, have the identity server queue another.",
)
_MEANINGS = {
    "processing": ("It is being sent right now.", "nothing; look again in a moment."),
    "sent": (
        "The relay accepted it, and is responsible for it from then on.",
        "if it did not arrive: look into the spam folder, then into the relay's log, by queue id or Message-ID.",
    ),
    "failed": (
        "It was refused for good; the last line says why.",
        "mend what the reply names, then `mail-sender queue retry`; a wrong address needs a new message.",
    ),
    "expired": (
        "Its link or its time in the queue ran out before it could be sent.",
        "have the identity server queue a new one; `queue retry` only if the clock was wrong.",
    ),
    "withdrawn": (
        "It was marked sent or deleted on the server before it was sent from here.",
        "nothing; if the recipient misses it, `queue resend`, or have the identity server queue a new one.",
    ),
    "unknown": (
        "It was cut off at the dot and may have arrived, so another try could be a duplicate.",
        "look for its Message-ID at the relay, or ask the recipient; then `queue resend`, or `queue abandon`.",
    ),
    "held": (
        "No mail can be made of it: its template is missing or broken.",
        "mend the template, or update mail-sender; it is tried at each start. `queue retry` tries at once.",
    ),
}
