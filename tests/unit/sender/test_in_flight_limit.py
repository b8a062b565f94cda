"""How many mails may be in flight at once."""

import pytest

from mail_sender.sender.in_flight_limit import LIMIT_LASTS, STAGGER
from mail_sender.sender.relay_gate import RelayGate
from mail_sender.verdict import Verdict
from tests.support.relay_gates import TOO_MANY, acquire, key, send
from tests.support.samples import CUT, LATER, NO, OK


def test_a_new_relay_is_tried_by_one_mail_and_by_another_each_second() -> None:
    """A wrong password is not tried four times at once; a first mail that hangs keeps the others for a second."""
    relay_gate = RelayGate()
    acquire(relay_gate, 0.0)
    assert relay_gate.acquire(key(), 0.5) is None
    assert relay_gate.retry_in(0.5) == STAGGER - 0.5
    acquire(relay_gate, STAGGER)
    assert relay_gate.acquire(key(), STAGGER) is None


@pytest.mark.parametrize("verdict", [OK, NO, LATER, CUT])
def test_the_first_mail_that_comes_through_lets_all_others_go(verdict: Verdict) -> None:
    """Whatever became of it: the relay is reached."""
    relay_gate = RelayGate()
    send(relay_gate, verdict, 0.0)
    assert [acquire(relay_gate, 0.0).is_probe for _ in range(4)] == [False] * 4


def test_a_first_mail_at_its_dot_lets_all_others_go() -> None:
    """A slow answer to it keeps nobody waiting."""
    relay_gate = RelayGate()
    relay_gate.reached_dot(acquire(relay_gate, 0.0), 0.1)
    assert [acquire(relay_gate, 0.1).is_probe for _ in range(3)] == [False] * 3


def test_a_connection_turned_away_while_others_stand_is_a_limit() -> None:
    """The breaker stays closed, for fewer mails at a time, and for a while."""
    relay_gate = RelayGate()
    send(relay_gate, OK, 0.0)
    mails = [acquire(relay_gate, 1.0) for _ in range(4)]
    assert relay_gate.capacity(1.0) == 0
    relay_gate.judge(mails[3], TOO_MANY, 1.0)
    assert relay_gate.is_closed
    assert relay_gate.capacity(1.0) == 0
    relay_gate.judge(mails[2], OK, 2.0)
    assert relay_gate.capacity(2.0) == 1
    assert relay_gate.capacity(1.0 + LIMIT_LASTS) == 2


def test_a_connection_turned_away_alone_opens_the_breaker() -> None:
    """There is nobody else whom the relay serves."""
    relay_gate = RelayGate()
    send(relay_gate, OK, 0.0)
    send(relay_gate, TOO_MANY, 1.0)
    assert not relay_gate.is_closed
