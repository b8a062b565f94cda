"""What the state of a delivery means, and what the operator does next: two sentences for each case."""

from mail_sender.control.response import ResponseLine
from mail_sender.control.verbs import VERBS
from mail_sender.log import printable

Meaning = tuple[str, str]
"""What the state means, and what to do next."""


def of(entry: ResponseLine, due: str) -> Meaning:
    """Return what it means that a delivery is in its state; `due` says when a queued one is tried next."""
    if entry["status"] == "withdrawn" and entry["copy"]:
        return _COPY_WITHDRAWN
    if entry["interrupted"]:
        return _INTERRUPTED["at" if entry["dot"] else "before"]
    if entry["status"] == "abandoned":
        return _abandoned(entry)
    if entry["status"] != "queued":
        return _MEANINGS[entry["status"]]
    if entry["held_back"]:
        return f"It is held back: {printable(entry['held_back']['reason'])}; next attempt {due}.", _BY_ITSELF
    meaning, advice = _WAITING["uncertain"] if entry["ambiguous"] else _WAITING.get(_last_verdict(entry), _NOT_YET)
    return f"{meaning}; next attempt {due}.", advice


def _last_verdict(entry: ResponseLine) -> str | None:
    return entry["last_attempt"]["verdict"] if entry["last_attempt"] else None


def _abandoned(entry: ResponseLine) -> Meaning:
    """Return what it means that somebody gave a delivery up, or that the last retry failed."""
    by_hand = _last_verdict(entry) == VERBS["abandon"].history
    meaning = "An operator gave it up." if by_hand else "The relay did not accept it in any attempt."
    if entry["copy"]:
        meaning = "An operator gave this copy up; the lines below say what became of the first one."
    if entry["ambiguous"]:
        meaning += " It was cut off at the dot, and may have arrived."
    if entry["ambiguous"] or entry["copy"]:
        return meaning, "`mail-sender queue resend` sends another copy, until the deadline; it asks first."
    return meaning, "`mail-sender queue retry` starts over, until the deadline."


_BY_ITSELF = "nothing to do: it goes by itself; `queue flush` lifts no limit, a change of the configuration does."
_FLUSH = "`mail-sender queue flush` tries at once."
_NOT_YET = ("It could not be sent yet", f"nothing to do: it is tried again automatically; {_FLUSH}")
_BY_OPERATOR = ("An operator has queued it again", f"nothing to do; {_FLUSH}")
_WAITING = {
    None: ("It waits for its first attempt", f"nothing to do; {_FLUSH}"),
    VERBS["retry"].history: _BY_OPERATOR,
    VERBS["resend"].history: _BY_OPERATOR,
    "deferred": ("The relay refused it for now", f"nothing to do: it is tried again automatically; {_FLUSH}"),
    "relay_down": (
        "The relay is unusable; this message is not the cause",
        f"correct what `queue list` names; {_FLUSH}",
    ),
    "uncertain": (
        "It was cut off at the dot and may have arrived; the same mail is sent once more",
        "nothing to do; both mails have the same Message-ID, and most mailboxes show only one.",
    ),
}
_INTERRUPTED = {
    "before": (
        "mail-sender ended before the dot: it was not sent.",
        "start mail-sender, which tries it again.",
    ),
    "at": (
        "mail-sender ended at the dot: it may have arrived.",
        "start mail-sender, which sends the same mail once more, unless it was cut off at the dot before.",
    ),
}
_COPY_WITHDRAWN = (
    "The copy was not sent: the server does not have the message for this recipient any more.",
    "read below what became of the first one; if a mail is still needed, queue a new message on the server.",
)
_MEANINGS = {
    "processing": ("It is being sent right now.", "nothing to do; look again in a moment."),
    "sent": (
        "The relay accepted it, and is now responsible for it.",
        "if it did not arrive, look into the spam folder, then search the relay's log by queue id or Message-ID.",
    ),
    "failed": (
        "It was refused for good; the last line says why.",
        "correct what the reply names, then run `mail-sender queue retry`; a wrong address needs a new message.",
    ),
    "expired": (
        "Its link or its time in the queue ran out before it could be sent.",
        "queue a new message on the server; run `queue retry` only if the clock was wrong.",
    ),
    "withdrawn": (
        "It was marked as sent or deleted on the server before mail-sender sent it.",
        "nothing to do; if the recipient needs it, run `queue resend`, or queue a new message on the server.",
    ),
    "unknown": (
        "It was cut off at the dot and may have arrived, so another attempt could cause a duplicate.",
        "search the relay's log for its Message-ID, or ask the recipient; then `queue resend` or `queue abandon`.",
    ),
    "held": (
        "No mail can be made of it: its template is missing or broken.",
        "correct the template, or update mail-sender; it is tried at each start. `queue retry` tries at once.",
    ),
}
