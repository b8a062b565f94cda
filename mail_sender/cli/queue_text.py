"""What the queue verbs show a person: lists of one line for each delivery, and a page for one message.

Pure functions of (response lines, now). Times are UTC, and relative where that is shorter. What relays and
servers wrote is shown with its control characters made visible.
"""

import textwrap
from collections.abc import Sequence
from datetime import datetime, timedelta

from mail_sender.cli import queue_meaning
from mail_sender.control.response import ResponseLine
from mail_sender.errors import ServerFaultKind
from mail_sender.log import printable
from mail_sender.observe.words import ago, senders_run, span

_WIDTH = 100
_ID, _STATUS, _RECIPIENT, _KIND, _AGE = 8, 10, 22, 19, 6
_BELOW = " " * (_ID + 2)
_LEAST = 20


def header(width: int | None = None) -> str:
    """Return the names of the columns, for a terminal of so many columns, or none."""
    return _columns("ID", "STATUS", "RECIPIENT", "KIND", f"{'AGE':>{_AGE}}  WHAT", width)


def row(entry: ResponseLine, now: datetime, width: int | None = None) -> str:
    """Return a delivery as one line. What does not fit a terminal's width stands below it, cut to the width.

    A terminal that is too narrow for the columns does without the kind: the reason counts more.
    """
    recipient = _cut(printable(entry["recipient"]), _RECIPIENT)
    kind = _cut(printable(entry["kind"]), _KIND)
    age = f"{span(now - _time(entry['admitted_at'])):>{_AGE}}"
    columns = _columns(entry["message_id"][:_ID], entry["status"], recipient, kind, age, width)
    happened = _happened(entry, now)
    line = f"{columns}  {happened}".rstrip()
    if width is None or len(line) <= width:
        return line
    return f"{_cut(columns, width)}\n{_cut(_BELOW + happened, max(width, _LEAST))}"


def _columns(name: str, status: str, recipient: str, kind: str, rest: str, width: int | None) -> str:
    start = f"{name:{_ID}}  {status:{_STATUS}}  {recipient:{_RECIPIENT}}  "
    whole = f"{start}{kind:{_KIND}}  {rest}"
    return whole if width is None or width >= len(f"{start}{'':{_KIND}}  {'':{_AGE}}") else f"{start}{rest}"


def page(entries: Sequence[ResponseLine], now: datetime) -> str:
    """Return all that is known of one message, for each of its recipients."""
    first = entries[0]
    admitted = _time(first["admitted_at"])
    head = [
        f"Message {first['message_id']}  {printable(first['kind'])}",
        f"  first seen   {_clock(admitted)}  ({ago(admitted, now)})",
        f"  marked sent  {_marked(first, now)}",
    ]
    return "\n\n".join(["\n".join(head), *(_delivery(entry, now) for entry in entries)])


def result(line: ResponseLine) -> str:
    """Return what became of a delivery that a command means."""
    return f"{line['message_id'][:_ID]}  {printable(line['recipient'])}  {printable(line['message'])}"


def ledger(line: ResponseLine) -> str:
    """Return on which database a command is carried out, beside how many senders."""
    who = f"; {senders_run(line['senders'])}, none answers here" if line["senders"] else ""
    return f"ledger: {printable(line['place'])}{who}"


def condition(line: ResponseLine, now: datetime) -> str:
    """Return what is wrong with the relay, the server or the ledger: since when, why, and when it is tried again.

    That no sender runs is one sentence.
    """
    if line["name"] == "sender":
        return printable(line["message"])
    seconds = line["next_try_in"]
    next_try = "" if seconds is None else f"; next try {ago(now + timedelta(seconds=seconds), now)}"
    since = f"for {span(now - _time(line['since']))}"
    whole = _CONDITIONS.get((line["name"], None), f"{printable(line['name'])} has been at fault")
    what = _CONDITIONS.get((line["name"], line["kind"]), whole)
    return f"{what} {since} ({printable(line['kind'])}): {printable(line['message'])}{next_try}"


def _happened(entry: ResponseLine, now: datetime) -> str:
    parts = []
    if entry["status"] == "queued":
        held = entry["held_back"]
        parts.append(f"held back by {held['limit']} until {_until(held, now)}" if held else _due(entry, now) or "due")
    if entry["interrupted"]:
        parts.append(f"mail-sender ended {'at' if entry['dot'] else 'before'} the dot")
    if entry["unsent_at"]:
        parts.append("un-sent on the server")
    elif entry["status"] == "sent" and not entry["marked_at"]:
        parts.append("not marked as sent")
    if last := entry["last_attempt"]:
        parts.append(_reply(last) if last["code"] else f"{last['stage']}: {_reply(last)}")
    return "; ".join(parts)


def _due(entry: ResponseLine, now: datetime) -> str | None:
    """Return when the next attempt is, or None if it is due or none is planned."""
    due = entry["next_attempt_at"] and _time(entry["next_attempt_at"])
    return ago(due, now) if due and due > now else None


def _until(held: ResponseLine, now: datetime) -> str:
    """Return until when a limit holds a delivery back."""
    until = _time(held["until"])
    return f"{_clock(until)} ({ago(until, now)})"


def _delivery(entry: ResponseLine, now: datetime) -> str:
    held = entry["held_back"]
    due = _until(held, now) if held else _due(entry, now) or "as soon as possible"
    meaning, advice = queue_meaning.of(entry, due)
    head = f"{printable(entry['recipient'])}: {entry['status']}"
    lines = [head, *_indented(meaning), *_indented(f"Next: {advice}")]
    attempts = "1 attempt" if entry["attempts"] == 1 else f"{entry['attempts']} attempts"
    relays = {attempt["relay"] for attempt in entry["history"] if attempt.get("relay")}
    facts = {
        "deadline": f"{_clock(_time(entry['deadline']))}  ({ago(_time(entry['deadline']), now)})",
        "counted": f"{attempts}, extra copy {entry['copy']}" if entry["copy"] else attempts,
        "relay": printable(*relays) if len(relays) == 1 else "",
        "queue id": printable(entry["queue_id"] or ""),
        "Message-ID": printable(entry["mail_message_id"] or ""),
    }
    lines += ["", *(f"  {name:<11}  {fact}" for name, fact in facts.items() if fact)]
    if entry["history"]:
        lines += ["", f"  {'when (UTC)':19}  {'stage':8}  {'verdict':11}  {'took':>7}  reply"]
        lines += [_attempt(attempt, names_relay=len(relays) > 1) for attempt in entry["history"]]
    return "\n".join(lines)


def _attempt(attempt: ResponseLine, *, names_relay: bool) -> str:
    when = f"{_time(attempt['at']):%Y-%m-%d %H:%M:%S}"
    verdict = _VERDICTS.get(attempt["verdict"], attempt["verdict"])
    start = f"  {when}  {attempt['stage']:8}  {verdict:11}  {attempt['seconds']:>5.1f} s  "
    through = f" (through {printable(attempt['relay'])})" if names_relay and attempt.get("relay") else ""
    reply = textwrap.wrap(_reply(attempt) + through, _WIDTH - len(start))
    return f"\n{' ' * len(start)}".join([start + "".join(reply[:1]), *reply[1:]]).rstrip()


def _indented(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ")


def _reply(attempt: ResponseLine) -> str:
    reply = printable(attempt["reply"])
    return f"{attempt['code']} {reply}" if attempt["code"] else reply


def _marked(entry: ResponseLine, now: datetime) -> str:
    """Return whether the message is marked as sent on the server, and by whom."""
    if entry["unsent_at"]:
        when = ago(_time(entry["unsent_at"]), now)
        if entry["marked_at"]:
            return f"yes, but un-sent on the server {when}; only `queue resend` mails it again"
        return f"not by us, and un-sent on the server {when}; only `queue resend` mails it"
    if entry["marked_at"]:
        time = _time(entry["marked_at"])
        return f"{_clock(time)}  ({ago(time, now)})"
    return "no: it is marked when every recipient has a final state and at least one mail is sent"


_CONDITIONS = {
    ("relay", None): "The relay has been unusable",
    ("fallback", None): "A fallback of the relay has been unusable",
    ("limit", None): "A limit has held mail back",
    ("server", None): "Kanidm has been unusable",
    ("server", ServerFaultKind.UNREACHABLE): "Kanidm has been unreachable",
    ("ledger", None): "The ledger has been unusable",
    ("alerts", None): "Alerts have been undeliverable",
}
_VERDICTS = {"relay_down": "relay down", "uncertain": "cut off", "held_back": "held back"}


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"


def _cut(text: str, width: int) -> str:
    return text if len(text) <= width else f"{text[: width - 1]}…"
