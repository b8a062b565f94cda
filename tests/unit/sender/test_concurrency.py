"""How many mails may be in flight at once."""

import pytest

from mail_sender.sender.breaker import Breaker
from mail_sender.sender.concurrency import LIMIT_LASTS, STAGGER
from mail_sender.verdict import Verdict
from tests.support.breakers import TOO_MANY, acquire, key, send
from tests.support.samples import CUT, LATER, NO, OK


def test_a_new_relay_is_tried_by_one_mail_and_by_another_each_second() -> None:
    """A wrong password is not tried four times at once; a first mail that hangs keeps the others for a second."""
    breaker = Breaker()
    acquire(breaker, 0.0)
    assert breaker.acquire(key(), 0.5) is None
    assert breaker.retry_in(0.5) == STAGGER - 0.5
    acquire(breaker, STAGGER)
    assert breaker.acquire(key(), STAGGER) is None


@pytest.mark.parametrize("verdict", [OK, NO, LATER, CUT])
def test_the_first_mail_that_comes_through_lets_all_others_go(verdict: Verdict) -> None:
    """Whatever became of it: the relay is reached."""
    breaker = Breaker()
    send(breaker, verdict, 0.0)
    assert [acquire(breaker, 0.0).is_probe for _ in range(4)] == [False] * 4


def test_a_first_mail_at_its_dot_lets_all_others_go() -> None:
    """A slow answer to it keeps nobody waiting."""
    breaker = Breaker()
    breaker.reached_dot(acquire(breaker, 0.0), 0.1)
    assert [acquire(breaker, 0.1).is_probe for _ in range(3)] == [False] * 3


def test_a_connection_turned_away_while_others_stand_is_a_limit() -> None:
    """The circuit stays closed, for fewer mails at a time, and for a while."""
    breaker = Breaker()
    send(breaker, OK, 0.0)
    mails = [acquire(breaker, 1.0) for _ in range(4)]
    assert breaker.capacity(1.0) == 0
    breaker.judge(mails[3], TOO_MANY, 1.0)
    assert breaker.is_closed
    assert breaker.capacity(1.0) == 0
    breaker.judge(mails[2], OK, 2.0)
    assert breaker.capacity(2.0) == 1
    assert breaker.capacity(1.0 + LIMIT_LASTS) == 2


def test_a_connection_turned_away_alone_opens_the_circuit() -> None:
    """There is nobody else whom the relay serves."""
    breaker = Breaker()
    send(breaker, OK, 0.0)
    send(breaker, TOO_MANY, 1.0)
    assert not breaker.is_closed
