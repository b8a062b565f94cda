"""A relay gate in the hands of a test: mails that go through it, one call each."""

from itertools import count
from uuid import UUID

from mail_sender.ledger.base import Key
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.verdict import Refused, RelayDown, Reply, Stage, Verdict
from tests.support.samples import OK

_numbers = count(1)


def key(recipient: str = "ellie@example.com") -> Key:
    """Return the key of a new message for somebody."""
    return UUID(int=next(_numbers)), recipient


def refused(text: str, code: int = 550, stage: Stage = Stage.RCPT) -> Refused:
    """Return a refusal in these words."""
    return Refused(stage, "refused by the relay", Reply(code, text))


RELAYING = refused("5.7.1 relaying denied", 554)
BAD_LOGIN = RelayDown(Stage.AUTH, "login refused", "mend it", lasting=True, reply=Reply(535, "5.7.8 no"))
BAD_CERTIFICATE = RelayDown(Stage.TLS, "expired", "mend it", lasting=True)
TOO_MANY = RelayDown(Stage.BANNER, "421 too many", "wait", lasting=False)


def acquire(relay_gate: RelayGate, now: float, of: Key | None = None) -> Permit:
    """Return the permit of a gate that gives one."""
    permit = relay_gate.acquire(of or key(), now)
    assert permit is not None
    return permit


def send(relay_gate: RelayGate, verdict: Verdict, now: float, of: Key | None = None) -> Verdict:
    """Send a mail through a gate that lets it go; return the verdict that counts."""
    return relay_gate.judge(acquire(relay_gate, now, of), verdict, now)


def wait(relay_gate: RelayGate, now: float) -> float:
    """Return the wait of a gate that has no probe in flight."""
    seconds = relay_gate.retry_in(now)
    assert seconds is not None
    return seconds


def in_use() -> RelayGate:
    """Return a gate through which a mail has gone, a while ago."""
    relay_gate = RelayGate()
    send(relay_gate, OK, -100.0)
    return relay_gate
