"""What the queue verbs show a person: lists of one line for each delivery, and a page for one message.

Pure functions of (lines of an answer, now). Times are UTC, and relative where that is shorter. What relays and
servers wrote is shown with its control characters made visible.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta

from mail_sender.control.response import Line

_WIDTH = 100
_ID, _STATUS, _RECIPIENT, _KIND, _AGE = 8, 10, 22, 16, 6
HEADER = f"{'ID':{_ID}}  {'STATUS':{_STATUS}}  {'RECIPIENT':{_RECIPIENT}}  {'KIND':{_KIND}}  {'AGE':>{_AGE}}  WHAT"
_UNITS = ((timedelta(days=2), 86_400, "d"), (timedelta(hours=2), 3_600, "h"), (timedelta(minutes=2), 60, "min"))


def row(entry: Line, now: datetime, width: int | None = None) -> str:
    """Return a delivery as one line, cut to a width if there is one."""
    recipient = _cut(plain(entry["recipient"]), _RECIPIENT)
    kind = _cut(plain(entry["kind"].removesuffix("_v1")), _KIND)
    age = span(now - _moment(entry["admitted_at"]))
    text = (
        f"{entry['message_id'][:_ID]}  {entry['status']:{_STATUS}}  {recipient:{_RECIPIENT}}  "
        f"{kind:{_KIND}}  {age:>{_AGE}}  {_happened(entry, now)}"
    ).rstrip()
    return text if width is None else _cut(text, width)


def page(entries: Sequence[Line], now: datetime) -> str:
    """Return all that is known of one message, for each of its recipients."""
    first = entries[0]
    admitted = _moment(first["admitted_at"])
    head = [
        f"Message {first['message_id']}  {plain(first['kind'])}",
        f"  first seen   {_clock(admitted)}  ({ago(admitted, now)})",
        f"  server told  {_server_told(first, now)}",
    ]
    return "\n\n".join(["\n".join(head), *(_delivery(entry, now) for entry in entries)])


def did(line: Line) -> str:
    """Return what became of a delivery that an order meant."""
    return f"{line['message_id'][:_ID]}  {plain(line['recipient'])}  {plain(line['message'])}"


def condition(line: Line, now: datetime) -> str:
    """Return what is wrong with the relay, the server or the ledger: since when, why, and when it is tried again."""
    again = line["next_try_in"]
    next_try = "" if again is None else f"; tried again {ago(now + timedelta(seconds=again), now)}"
    since = f"for {span(now - _moment(line['since']))}"
    return f"{_PARTIES[line['name']]} {since} ({plain(line['kind'])}): {plain(line['message'])}{next_try}"


def span(length: timedelta) -> str:
    """Return a length of time in its largest unit that is told apart: "90 s", "12 min", "3 h", "4 d"."""
    seconds = max(0, round(length.total_seconds()))
    for least, size, unit in _UNITS:
        if length >= least:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"


def ago(moment: datetime, now: datetime) -> str:
    """Return when that was or will be: "12 min ago", "in 4 min", "now"."""
    if abs(moment - now) < timedelta(seconds=1):
        return "now"
    return f"{span(now - moment)} ago" if moment < now else f"in {span(moment - now)}"


def plain(text: str) -> str:
    """Return a text with its control characters shown instead of obeyed."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def _happened(entry: Line, now: datetime) -> str:
    parts = []
    if entry["status"] == "queued":
        due = _moment(entry["next_attempt_at"])
        parts.append(ago(due, now) if due > now else "due")
    if entry["unsent_at"]:
        parts.append("un-sent on the server")
    elif entry["status"] == "sent" and not entry["marked_at"]:
        parts.append("server not told")
    if last := entry["last_attempt"]:
        parts.append(_said(last) if last["code"] else f"{last['stage']}: {_said(last)}")
    return "; ".join(parts)


def _delivery(entry: Line, now: datetime) -> str:
    meaning, advice = _meaning(entry, now)
    head = f"{plain(entry['recipient'])}: {entry['status']}"
    lines = [head, *_indented(meaning), *_indented(f"Next: {advice}")]
    facts = {
        "deadline": f"{_clock(_moment(entry['deadline']))}  ({ago(_moment(entry['deadline']), now)})",
        "counted": f"{_attempts(entry['attempts'])}{_copy(entry['copy'])}",
        "queue id": plain(entry["queue_id"] or ""),
        "Message-ID": plain(entry["mail_message_id"] or ""),
    }
    lines += ["", *(f"  {name:<11}  {fact}" for name, fact in facts.items() if fact)]
    if entry["history"]:
        lines += ["", f"  {'when (UTC)':19}  {'stage':8}  {'verdict':11}  {'took':>7}  reply"]
        lines += [_attempt(attempt) for attempt in entry["history"]]
    return "\n".join(lines)


def _attempts(count: int) -> str:
    return "1 attempt" if count == 1 else f"{count} attempts"


def _copy(copies: int) -> str:
    return f", copy {copies + 1}" if copies else ""


def _attempt(attempt: Line) -> str:
    when = f"{_moment(attempt['at']):%Y-%m-%d %H:%M:%S}"
    verdict = _VERDICTS.get(attempt["verdict"], attempt["verdict"])
    start = f"  {when}  {attempt['stage']:8}  {verdict:11}  {attempt['seconds']:>5.1f} s  "
    reply = textwrap.wrap(_said(attempt), _WIDTH - len(start))
    return f"\n{' ' * len(start)}".join([start + "".join(reply[:1]), *reply[1:]]).rstrip()


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _said(attempt: Line) -> str:
    reply = plain(attempt["reply"])
    return f"{attempt['code']} {reply}" if attempt["code"] else reply


def _server_told(entry: Line, now: datetime) -> str:
    if entry["unsent_at"] and not entry["marked_at"]:
        moment = _moment(entry["unsent_at"])
        return f"by somebody else, but found un-sent there {ago(moment, now)}; mailed only by `queue resend`"
    if entry["unsent_at"]:
        moment = _moment(entry["unsent_at"])
        return f"yes, but found un-sent there {ago(moment, now)}; mailed again only by `queue resend`"
    if entry["marked_at"]:
        moment = _moment(entry["marked_at"])
        return f"{_clock(moment)}  ({ago(moment, now)})"
    return "no: it is told once every recipient is done with and at least one is sent"


def _meaning(entry: Line, now: datetime) -> tuple[str, str]:
    """Return what a delivery's state means, and what to do next."""
    if entry["status"] == "withdrawn" and entry["copy"]:
        return _COPY_WITHDRAWN
    if entry["status"] == "abandoned":
        return _abandoned(entry)
    if entry["status"] != "queued":
        return _MEANINGS[entry["status"]]
    due = _moment(entry["next_attempt_at"])
    when = ago(due, now) if due > now else "as soon as it can go"
    verdict = entry["last_attempt"]["verdict"] if entry["last_attempt"] else None
    meaning, advice = _WAITING.get(verdict, _NOT_YET)
    if entry["ambiguous"]:
        meaning, advice = _WAITING["uncertain"]
    return f"{meaning}; next attempt {when}.", advice


def _abandoned(entry: Line) -> tuple[str, str]:
    """Return what it means that somebody, or the last of the retries, gave a delivery up."""
    by_hand = bool(entry["last_attempt"]) and entry["last_attempt"]["verdict"] == "given up"
    meaning = "Somebody gave it up." if by_hand else "The relay did not take it in any of its attempts."
    if entry["copy"]:
        meaning = "Somebody gave this copy up; what became of the first one, the lines below say."
    if entry["ambiguous"]:
        meaning += " It was cut off at the dot, and may have arrived."
    return meaning, "`mail-sender queue retry` begins anew, as long as its deadline is ahead."


_PARTIES = {
    "relay": "the way to the relay is shut",
    "server": "the identity server is of no use",
    "ledger": "the ledger cannot be written",
}
_FLUSH = "`mail-sender queue flush` tries at once."
_NOT_YET = ("It could not be sent yet", f"nothing, it is tried again by itself; {_FLUSH}")
_VERDICTS = {"relay_down": "way shut", "uncertain": "cut off"}
_ORDERED = ("It is to be sent as an operator asked", f"nothing; {_FLUSH}")
_WAITING = {
    None: ("It waits for its first attempt", f"nothing; {_FLUSH}"),
    "retried": _ORDERED,
    "resent": _ORDERED,
    "deferred": ("The relay did not take it yet", f"nothing, it is tried again by itself; {_FLUSH}"),
    "relay_down": ("The way to the relay is shut, not by this message", f"mend the way; {_FLUSH}"),
    "uncertain": (
        "It was cut off at the dot and may have arrived; the same mail goes once more",
        "nothing; both copies have one Message-ID, and most mailboxes show one.",
    ),
}
_COPY_WITHDRAWN = (
    "The copy was not sent: the server did not have the message any more, or not for this recipient.",
    "the lines below say what became of the first one; if it is missed, have the identity server queue a new one.",
)
_MEANINGS = {
    "processing": ("It is being sent right now.", "nothing; look again in a moment."),
    "sent": (
        "The relay accepted it: from then on it is the relay's.",
        "if it did not arrive: look into the spam folder, then into the relay's log, by queue id or Message-ID.",
    ),
    "failed": (
        "It was refused for good, as the last line says.",
        "mend what the reply names, then `mail-sender queue retry`; a wrong address needs a new message.",
    ),
    "expired": (
        "Its link or its time in the queue ran out before it could be sent.",
        "have the identity server queue a new one; `queue retry` only if the clock was wrong.",
    ),
    "withdrawn": (
        "It was marked sent or deleted on the server before it was sent from here.",
        "nothing; if it is missed, `queue resend`, or have the identity server queue a new one.",
    ),
    "unknown": (
        "It was cut off at the dot and cannot be tried safely again: it may have arrived.",
        "look for its Message-ID at the relay, or ask; then `queue resend`, or `queue abandon`.",
    ),
    "held": (
        "No mail can be made of it as long as its template is unknown or broken.",
        "mend the template, or update mail-sender; it is tried at each start. `queue retry` tries now.",
    ),
}


def _moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
