"""What `mail-sender status` shows a person: one screen, the most important line first.

Pure functions of (status, width). Times are told from the moment of the status, in UTC. What servers and relays wrote
is shown with its control characters made visible.
"""

import textwrap
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta

from mail_sender.log import printable
from mail_sender.observe.headline import headline
from mail_sender.observe.status import (
    SEEN_LATELY,
    ConditionStatus,
    Expiry,
    LedgerStatus,
    QueueStatus,
    RelayStatus,
    ReplicaStatus,
    SenderStatus,
    ServerStatus,
    Status,
)
from mail_sender.observe.words import ago, span

WIDTH = 80
_LABEL = 11
_LONGEST_NAME = 40
_EXPIRES_SOON = timedelta(days=14)
_ENDS = {
    "token": "token",
    "server_certificate": "server's certificate",
    "relay_certificate": "relay's certificate",
    "client_certificate": "our certificate",
}
_SIZES = ((10**9, "GB"), (10**6, "MB"), (10**3, "kB"))


def screen(status: Status, width: int = WIDTH) -> list[str]:
    """Return the lines of the screen; the first one is the headline."""
    lines = [headline(status)]
    for condition in status.conditions:
        lines += _condition(condition, status.at, width)
    for label, text in _rows(status):
        start = f"{label:{_LABEL}}"
        wrapped = textwrap.wrap(printable(text), max(width - _LABEL, 20), break_on_hyphens=False) or [""]
        lines += [start + wrapped[0], *(" " * _LABEL + line for line in wrapped[1:])]
    return lines


def _condition(condition: ConditionStatus, now: datetime, width: int) -> Iterator[str]:
    """Yield what is wrong, for how long, and what to do about it."""
    seconds = condition.next_try_in_seconds
    next_try = "" if seconds is None else f"; next try {ago(now + timedelta(seconds=seconds), now)}"
    name = f"{condition.name} ({condition.kind})"
    what = f"{name} for {span(now - condition.since)}, since {_clock(condition.since)}: {condition.detail}"
    for start, text in (("  ", what), ("    do: ", f"{condition.advice}{next_try}")):
        yield from textwrap.wrap(
            printable(text),
            max(width, 40),
            initial_indent=start,
            subsequent_indent=" " * (len(start) + 2),
            break_on_hyphens=False,
        )


def _rows(status: Status) -> Iterator[tuple[str, str]]:
    now = status.at
    if status.sender:
        yield "sender", _sender(status.sender, now)
        yield "", f"mail-sender {status.sender.version}, process {status.sender.pid} on {status.sender.host}"
    else:
        rest = "the ledger shows the rest" if status.queue else "more is not known"
        yield "sender", f"none answers{' here' if status.replicas else ''}; {rest}"
    yield from _replicas(status.replicas, now)
    if status.server:
        yield "server", _server(status.server, status.polled_by, now)
    if status.relay:
        yield "relay", _relay(status.relay, now)
    for fallback in status.fallbacks:
        yield "fallback", f"{_relay(fallback, now)}{'; mail goes through it' if fallback.carries else ''}"
    yield "ledger", _ledger(status.ledger)
    if status.queue:
        yield "queue", _queue(status.queue)
        yield "waiting", _waiting(status.queue, now)
        yield "accepted", f"last {_when(status.queue.last_accepted_at, now)}"
    if status.attempts:
        yield "attempts", f"last hour: {_counted(status.attempts.last_hour)}"
        yield "", f"last day: {_counted(status.attempts.last_day)}"
    if status.failing_domains:
        named = (f"{one.domain} ({_failures(one.failed, one.deferred)})" for one in status.failing_domains)
        yield "failing", ", ".join(named)
    if status.held_back:
        until = (f" until {_when(one.until, now)}" if one.until else "" for one in status.held_back)
        held = zip(status.held_back, until, strict=True)
        yield "held back", ", ".join(f"{one.deliveries} ({one.reason}){end}" for one, end in held)
    if status.expiries:
        yield "expires", ", ".join(_expiry(one, now) for one in status.expiries)


def _sender(sender: SenderStatus, now: datetime) -> str:
    state = "ready" if sender.ready else "alive, not ready" if sender.alive else "hangs"
    return f"{state}; runs for {span(now - sender.started_at)}, since {_clock(sender.started_at)}"


def _replicas(replicas: Sequence[ReplicaStatus], now: datetime) -> Iterator[tuple[str, str]]:
    """Yield the senders that share the ledger, one a line, with names that tell them apart."""
    hosts = Counter(one.host for one in replicas)
    names = [f"{one.host} ({one.pid})" if hosts[one.host] > 1 else one.host for one in replicas]
    width = min(max(map(len, names), default=0), _LONGEST_NAME)
    for number, (name, one) in enumerate(zip(names, replicas, strict=True)):
        seen = f"seen {ago(one.seen_at, now)}" if now - one.seen_at > SEEN_LATELY else ""
        notes = [
            seen,
            "polls" if one.polls else "",
            "" if one.carries else "CANNOT MAIL",
            "answers here" if one.answers else "",
        ]
        said = ", ".join(note for note in (f"for {span(now - one.since)}", *notes) if note)
        yield "" if number else "senders", f"{name:{width}}  {one.version}  {said}"


def _server(server: ServerStatus, polled_by: str | None, now: datetime) -> str:
    if polled_by is not None:
        who = f"the sender on {polled_by} polls for all" if polled_by else "no sender polls now"
        return f"{server.uri}: last reached {_ago(server.last_good_poll_at, now)}; {who}"
    last = f"last poll {_ago(server.last_poll_at, now)}"
    if server.last_good_poll_at != server.last_poll_at:
        last = f"{last}, last good poll {_ago(server.last_good_poll_at, now)}"
    coming = f", next {_coming(server.next_poll_at, now)}" if server.next_poll_at else ""
    odd = f", {server.malformed} cannot be read" if server.malformed else ""
    return f"{server.uri}: {last}{coming}; {server.ready} ready{odd}"


def _coming(time: datetime, now: datetime) -> str:
    """Return when that will be; a poll that takes long, or a loop that hangs, keeps the next one waiting."""
    when = ago(time, now)
    return f"was due {when}" if when.endswith("ago") else when


def _relay(relay: RelayStatus, now: datetime) -> str:
    if relay.security == "folder":
        return f"the folder {relay.place}: a dry run"
    since = f" since {_when(relay.breaker_since, now)}" if relay.breaker_since else ""
    most = f"{relay.in_flight} of {relay.most_in_flight} in flight"
    pace = f", {relay.between_seconds:.1f} s between two mails" if relay.between_seconds else ""
    login = "login" if relay.login else "no login"
    if relay.token_expires_at:
        login = f"login by a token until {_when(relay.token_expires_at, now)}"
    return f"{relay.place} ({relay.security}, {login}): breaker {relay.breaker}{since}; {most}{pace}"


def _ledger(ledger: LedgerStatus) -> str:
    if ledger.place is None:
        return "in memory: what was sent is forgotten at a stop"
    if ledger.kind == "postgresql":
        return ledger.place
    if not ledger.size_bytes:
        return f"{ledger.place}: there is none"
    free = "" if ledger.free_bytes is None else f", {_size(ledger.free_bytes)} free"
    return f"{ledger.place}: {_size(ledger.size_bytes)}{free}"


def _queue(queue: QueueStatus) -> str:
    counted = _counted(queue.states) if any(queue.states.values()) else "no deliveries"
    unmarked = f"; {queue.unmarked} to be marked as sent on the server" if queue.unmarked else ""
    return f"{counted}{unmarked}"


def _waiting(queue: QueueStatus, now: datetime) -> str:
    if queue.oldest_waiting_at is None:
        return "nothing waits"
    return f"the oldest for {span(now - queue.oldest_waiting_at)}, since {_clock(queue.oldest_waiting_at)}"


def _counted(counts: Mapping[str, int]) -> str:
    shown = (f"{number} {name.replace('_', ' ')}" for name, number in counts.items() if number)
    return ", ".join(shown) or "none"


def _failures(failed: int, deferred: int) -> str:
    return _counted({"failed": failed, "tried again": deferred})


def _expiry(expiry: Expiry, now: datetime) -> str:
    left = expiry.expires_at - now
    name = _ENDS.get(expiry.name, expiry.name.replace("_", " "))
    if left <= timedelta(0):
        return f"{name}: EXPIRED {_clock(expiry.expires_at)}"
    soon = " SOON" if left < _EXPIRES_SOON else ""
    return f"{name}{soon} in {span(left)} ({expiry.expires_at:%Y-%m-%d})"


def _size(size: int) -> str:
    for unit, name in _SIZES:
        if size >= unit:
            return f"{size / unit:.1f} {name}"
    return f"{size} B"


def _ago(time: datetime | None, now: datetime) -> str:
    return "never" if time is None else ago(time, now)


def _when(time: datetime | None, now: datetime) -> str:
    return "never, as far as the ledger goes back" if time is None else f"{_clock(time)} ({ago(time, now)})"


def _clock(time: datetime) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S} UTC"
