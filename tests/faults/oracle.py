"""The oracle: what relay, API and files say, and the invariants over it, one function for each.

The truth is the relay's and the API's own log; the ledger is compared with it, never believed. A function looks at
one thing after the other and yields, for each, None where it is as it must be, or a sentence that says what is not.
So the campaign can count what was checked. `INVARIANTS` names them all.
"""

import base64
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from mail_sender.ledger.base import Delivery, Entry, Key
from mail_sender.ledger.states import FINAL, State
from tests.faults.rig_api import Call
from tests.faults.rig_record import Connection, Heard, Mail

_LIMIT = 1
"""How many copies the operator lets the sender make of its own accord."""
_GIVEN_UP = frozenset({State.FAILED, State.ABANDONED, State.UNKNOWN})
_SHORTEST_SLOT = timedelta(seconds=5)
_SHORTEST_LOGIN_SLOT = timedelta(seconds=60)
_HARMLESS_IN_CLEAR = re.compile(rb"(?:EHLO|HELO|STARTTLS|QUIT|RSET|NOOP)\b[^\r\n]*\Z", re.IGNORECASE)
_HARMLESS_SO_FAR = (b"EHLO", b"STARTTLS", b"QUIT")
_TLS_RECORDS = (b"\x15\x03", b"\x16\x03")


@dataclass(frozen=True)
class Queued:
    """One message as it was queued; from `deadline` on nobody wants it any more.

    `may_fail` says that it need not arrive: a fault is an answer for good, or cuts it off at the dot a second time.
    """

    id: UUID
    recipients: tuple[str, ...]
    deadline: datetime
    may_fail: bool = False


@dataclass(frozen=True)
class RunOfTestMail:
    """One run of `mail-sender -t`: its exit code, whether the relay accepted its mail, and could say so."""

    exit_code: int
    accepted: bool
    heard: Heard = Heard.YES


@dataclass(frozen=True)
class Evidence:
    """All that is known after a case: logs of relay and API, the ledger's rows, and every text that was written.

    `aimed` are the messages that a fault was meant for, `login` the name and the password for the relay. `of_fallback`
    are those of the mails that the second relay took, if there is one. So many mails may go
    `side_by_side`; `dots` is how often the ledger was told of each delivery's, None where nobody watched.
    """

    queued: tuple[Queued, ...]
    connections: tuple[Connection, ...]
    mails: tuple[Mail, ...]
    calls: tuple[Call, ...]
    sent_at: Mapping[UUID, str | None]
    rows: tuple[Entry, ...]
    texts: Mapping[str, bytes]
    secrets: tuple[str, ...]
    login: tuple[str, str]
    aimed: frozenset[UUID] = frozenset()
    test_mails: tuple[RunOfTestMail, ...] = ()
    exactly_once: bool = False
    of_fallback: tuple[Mail, ...] = ()
    dots: Mapping[Key, int] | None = None
    side_by_side: int = 4

    def deliveries(self) -> Iterator[tuple[Queued, str]]:
        """Yield each message with each of its recipients."""
        for queued in self.queued:
            for recipient in queued.recipients:
                yield queued, recipient

    def accepted(self, message: UUID, recipient: str | None = None) -> list[Mail]:
        """Return the mails of a message that the relay took, in order: to a recipient, or to all."""
        return [
            mail
            for mail in self.mails
            if mail.message_id.startswith(f"<{message}") and recipient in {None, mail.recipient}
        ]

    def row(self, message: UUID, recipient: str) -> Entry | None:
        """Return the ledger's row."""
        return next(
            (row for row in self.rows if (row.delivery.message, row.delivery.recipient) == (message, recipient)),
            None,
        )

    def commands_for(self, recipient: str) -> list[datetime]:
        """Return when the relay was asked to take mail for a recipient."""
        return [at for connection in self.connections for at in connection.asked_for(recipient)]


Findings = Iterator[str | None]
Invariant = Callable[[Evidence], Findings]


def nothing_lost(evidence: Evidence) -> Findings:
    """I1: every listed, unexpired, deliverable message reaches each of its recipients at least once."""
    for queued, recipient in evidence.deliveries():
        row = evidence.row(queued.id, recipient)
        excused = queued.may_fail and row is not None and row.delivery.state in _GIVEN_UP
        arrived = evidence.accepted(queued.id, recipient) or excused
        state = row.delivery.state if row else "not in the ledger"
        yield None if arrived else f"the relay never accepted the mail to {recipient} (ledger: {state})"


def few_copies(evidence: Evidence) -> Findings:
    """I2: copies are at most 1 + A, where A counts the cuts between the dot and its reply, and is 1 at most."""
    for queued, recipient in evidence.deliveries():
        mails = evidence.accepted(queued.id, recipient)
        cuts = sum(mail.heard is not Heard.YES for mail in mails)
        allowed = 1 if evidence.exactly_once else 1 + min(cuts, _LIMIT)
        facts = f"{len(mails)} mails to {recipient} accepted, with {cuts} cuts at the dot"
        yield None if len(mails) <= allowed else facts


def same_copies(evidence: Evidence) -> Findings:
    """I3: copies of one mail are byte-identical (Message-ID, Date and hash)."""
    for queued, recipient in evidence.deliveries():
        mails = evidence.accepted(queued.id, recipient)
        if len(mails) > 1:
            seen = {(mail.message_id, mail.digest) for mail in mails}
            yield None if len(seen) == 1 else f"{len(seen)} different mails to {recipient}"


def true_marks(evidence: Evidence) -> Findings:
    """I4: a message is marked sent only after an accept, and when all its deliveries are final."""
    for call in evidence.calls:
        if call.marks is None:
            continue
        accepted = [mail.at for mail in evidence.accepted(call.marks)]
        rows = [row for row in evidence.rows if row.delivery.message == call.marks]
        if not accepted or min(accepted) > call.at:
            yield f"{call.marks} was marked before any relay accepted it"
        elif max((mail_at for mail_at in accepted), default=call.at) > call.at:
            yield f"{call.marks} was marked, and mailed after that"
        else:
            open_ones = [row.delivery.recipient for row in rows if row.delivery.state not in FINAL]
            yield f"{call.marks} was marked while {open_ones} were not final" if open_ones else None


def dead_stay_dead(evidence: Evidence) -> Findings:
    """I5: a delivery that is failed, abandoned or expired is never offered to the relay again by itself."""
    ends = {State.FAILED, State.ABANDONED, State.EXPIRED, State.WITHDRAWN}
    for row in evidence.rows:
        recipient = row.delivery.recipient
        if row.delivery.state in ends and _is_alone(evidence, recipient):
            later = [at for at in evidence.commands_for(recipient) if at > row.changed_at]
            yield f"{recipient} was {row.delivery.state}, and offered {len(later)} times more" if later else None


def nothing_in_clear(evidence: Evidence) -> Findings:
    """I6: without TLS the client says EHLO and STARTTLS, and nothing of a login or a mail."""
    for connection in evidence.connections:
        bad = [line for line in _lines_in_clear(connection.clear) if not _is_harmless(line)]
        yield f"connection {connection.number} heard {bad[0][:60]!r} in clear" if bad else None


def no_secrets(evidence: Evidence) -> Findings:
    """I7: token, password, intent id and display name stand in no log, no file and no command line."""
    needles = [form for secret in evidence.secrets for form in _forms(secret)]
    user, password = evidence.login
    needles.append(base64.b64encode(f"\0{user}\0{password}".encode()))
    for name, text in evidence.texts.items():
        found = [needle for needle in needles if needle in text]
        yield f"{name} holds {found[0].decode()!r}" if found else None


def no_hostages(evidence: Evidence) -> Findings:
    """I8: a failing message delays a good one by no more than one attempt of its own and one probe."""
    if not evidence.aimed:
        return
    tries = [(said.at, said.text) for one in evidence.connections for said in one.commands if said.step == "RCPT"]
    bad = {one for queued in evidence.queued if queued.id in evidence.aimed for one in queued.recipients}
    for queued, recipient in evidence.deliveries():
        if queued.id in evidence.aimed:
            continue
        first = min((mail.at for mail in evidence.accepted(queued.id, recipient)), default=None)
        before = Counter(
            one for at, text in tries for one in bad if f"<{one}>".encode() in text and (first is None or at < first)
        )
        worst = max(before.values(), default=0)
        yield f"{recipient} waited for {worst} tries of another one" if worst > 2 else None


def patient(evidence: Evidence) -> Findings:
    """I9: a relay that does not work is tried at most once a backoff slot; so is a login that was refused.

    As many mails as go side by side may have met the fault at the same time.
    """
    fruitless = [one for one in evidence.connections if one.ended and not one.logged_in]
    at_once = max(1, min(evidence.side_by_side, sum(1 for _ in evidence.deliveries())))
    for earlier, later in zip(fruitless, fruitless[at_once:], strict=False):
        slot = _SHORTEST_LOGIN_SLOT if _login_refused(earlier) and _login_refused(later) else _SHORTEST_SLOT
        gap = later.at - earlier.at
        adjacent = later.number == earlier.number + at_once
        facts = f"connections {earlier.number} and {later.number} failed {gap.total_seconds():.1f} s apart"
        yield facts if adjacent and gap < slot * 0.8 else None


def ledger_agrees(evidence: Evidence) -> Findings:
    """I10: the ledger's rows say what relay and API say: sent, ambiguous, marked."""
    for queued, recipient in evidence.deliveries():
        row = evidence.row(queued.id, recipient)
        if row is None:
            yield f"no row for {recipient}"
            continue
        yield from _row_agrees(evidence, row)
        marked, sent_at = row.marked_at is not None, evidence.sent_at[queued.id] is not None
        yield None if marked == sent_at else f"{queued.id}: marked in the ledger {marked}, on the server {sent_at}"


def nothing_late(evidence: Evidence) -> Findings:
    """I11: nothing is sent after its deadline."""
    for queued, _ in evidence.deliveries():
        for mail in evidence.accepted(queued.id):
            late = mail.at > queued.deadline
            yield f"{mail.recipient} got its mail {mail.at - queued.deadline} too late" if late else None


def honest_exits(evidence: Evidence) -> Findings:
    """I12: `-t` ends with 0 only where the relay accepted its mail, and always where it said so."""
    for run in evidence.test_mails:
        said_yes = run.accepted and run.heard is Heard.YES
        wrong = said_yes if run.exit_code else not run.accepted
        yield f"-t ended with {run.exit_code}, and the relay accepted: {run.accepted}" if wrong else None


def of_one_relay(evidence: Evidence) -> Findings:
    """I13: a mail that one relay has, or may have for all the sender knows, goes to no other relay."""
    of_first = Counter(mail.message_id for mail in evidence.mails)
    of_first.subtract(mail.message_id for mail in evidence.of_fallback)
    for message_id in {mail.message_id for mail in evidence.of_fallback}:
        yield f"both relays have {message_id}" if of_first[message_id] > 0 else None


INVARIANTS: Mapping[str, Invariant] = {
    "I1": nothing_lost,
    "I2": few_copies,
    "I3": same_copies,
    "I4": true_marks,
    "I5": dead_stay_dead,
    "I6": nothing_in_clear,
    "I7": no_secrets,
    "I8": no_hostages,
    "I9": patient,
    "I10": ledger_agrees,
    "I11": nothing_late,
    "I12": honest_exits,
    "I13": of_one_relay,
}


def _row_agrees(evidence: Evidence, row: Entry) -> Findings:
    delivery = row.delivery
    mails = evidence.accepted(delivery.message, delivery.recipient)
    heard = [mail for mail in mails if mail.heard is Heard.YES]
    cut = [mail for mail in mails if mail.heard is Heard.NO]
    name = delivery.recipient
    if heard and delivery.state is not State.SENT:
        yield f"{name} is {delivery.state}, though the relay accepted it and said so"
    elif delivery.state is State.SENT and not mails:
        yield f"{name} is sent, though the relay accepted nothing"
    elif delivery.state is State.UNKNOWN and delivery.ambiguous == 0:
        yield f"{name} is unknown, though it was never ambiguous"
    elif delivery.ambiguous < len(cut):
        yield f"{name} counts {delivery.ambiguous} cuts at the dot; the relay counts {len(cut)}"
    elif evidence.dots is not None and delivery.ambiguous > _most_cuts(evidence.dots.get(delivery.key, 0), delivery):
        yield f"{name} counts {delivery.ambiguous} cuts at the dot, and came to fewer"
    else:
        yield None


def _most_cuts(dots: int, delivery: Delivery) -> int:
    """Return how often a delivery that came to its dot so often can have been cut off there: not where it was sent."""
    return max(0, dots - 1) if delivery.state is State.SENT else dots


def _lines_in_clear(clear: bytes) -> Sequence[bytes]:
    """Return what a client said before its TLS, line by line; TLS itself is no line."""
    starts = [clear.find(start) for start in _TLS_RECORDS if start in clear]
    return [line for line in clear[: min(starts, default=len(clear))].split(b"\r\n") if line]


def _is_harmless(line: bytes) -> bool:
    """Say whether a line is, or may have become before a cut, one that is fine without TLS."""
    line = line.removesuffix(b"\r")  # the cut came between the two octets of its end
    return bool(_HARMLESS_IN_CLEAR.match(line)) or any(verb.startswith(line) for verb in _HARMLESS_SO_FAR)


def _forms(secret: str) -> Iterator[bytes]:
    """Yield a secret as it stands, and as base64 spells it wherever it begins (RFC 4648, section 4)."""
    octets = secret.encode()
    yield octets
    for ahead in range(3):
        encoded = base64.b64encode(b"\0" * ahead + octets)
        yield encoded[(ahead * 8 + 5) // 6 : len(octets) * 4 // 3 - 2]


def _is_alone(evidence: Evidence, recipient: str) -> bool:
    return sum(recipient in queued.recipients for queued in evidence.queued) == 1


def _login_refused(connection: Connection) -> bool:
    return any(said.step == "AUTH" for said in connection.commands) and not connection.logged_in
