"""How many mails may be in flight at once."""

import pytest

from mail_sender.sender.in_flight_limit import LIMIT_LASTS, STAGGER, START
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.verdict import RelayDown, Verdict
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


class Allows:
    """A relay that serves so many mails at a time, and a gate for 16: each turn one starts, and the oldest one ends."""

    def __init__(self, allows: int, most: int = 16) -> None:
        self.allows = allows
        self.gate = RelayGate(most)
        self.turned_away = 0
        self.peak = 0
        self._serves: list[Permit] = []

    def run(self, now: float, turns: int = 100) -> None:
        """Let all start that may, and then half of those that are served end, so many times."""
        for _ in range(turns):
            started = []
            while self.gate.capacity(now) and (permit := self.gate.acquire(key(), now)):
                started.append(permit)
            self.peak = max(self.peak, len(started) + len(self._serves))
            served, away = self.split(started)
            for permit in served:
                self.gate.reached_dot(permit, now)
            for permit in away:
                assert isinstance(self.gate.judge(permit, TOO_MANY, now), RelayDown)
            for permit in self._serves[: len(self._serves) // 2 + 1]:
                self.gate.judge(permit, OK, now)
                self._serves.remove(permit)

    def split(self, started: list[Permit]) -> tuple[list[Permit], list[Permit]]:
        """Serve as many as the relay allows, and turn the others away."""
        free = max(0, self.allows - len(self._serves))
        self._serves += started[:free]
        self.turned_away += len(started[free:])
        return started[:free], started[free:]


def test_more_go_at_once_as_mails_come_through() -> None:
    """Up to the configured number, by halves: a relay sees no crowd before it has served a smaller one."""
    relay = Allows(100)
    seen = []
    for _ in range(8):
        relay.run(0.0, 1)
        seen.append(relay.gate.capacity(0.0) + relay.gate.view(0.0).in_flight)
    assert seen[:6] == [START, 6, 9, 13, 16, 16]
    assert relay.peak == relay.gate.view(0.0).most_in_flight == 16


@pytest.mark.parametrize("allows", [1, 2, 5, 9, 15])
def test_a_relay_that_allows_fewer_turns_few_away(allows: int) -> None:
    """Its limit is found with less than half of it turned away, or three; later one more is tried, and that is all."""
    relay = Allows(allows)
    relay.run(0.0)
    assert relay.gate.is_closed
    assert relay.gate.view(0.0).most_in_flight == allows
    assert relay.turned_away <= max(3, allows // 2)
    relay.run(LIMIT_LASTS - 1.0)
    before = relay.turned_away
    relay.run(LIMIT_LASTS + 1.0)
    assert relay.turned_away == before + 1
    assert relay.gate.view(LIMIT_LASTS + 1.0).most_in_flight == allows


def test_a_limit_that_is_lifted_is_found_out() -> None:
    """One more after five minutes, and then more by halves."""
    relay = Allows(5)
    relay.run(0.0)
    relay.allows = 100
    relay.run(LIMIT_LASTS + 1.0)
    assert relay.gate.view(LIMIT_LASTS + 1.0).most_in_flight == 16


def test_a_relay_that_shuts_down_is_no_limit_afterwards() -> None:
    """All mails are turned away one after the other, and the breaker opens: what looked like a limit was none."""
    relay = Allows(100)
    relay.run(0.0)
    mails = [acquire(relay.gate, 1.0) for _ in range(relay.gate.capacity(1.0))]
    relay.allows = 0
    for permit in (*relay._serves, *mails):
        relay.gate.judge(permit, TOO_MANY, 1.0)
    assert not relay.gate.is_closed
    now = 1.0 + (relay.gate.retry_in(1.0) or 0.0)
    send(relay.gate, OK, now)
    assert relay.gate.capacity(now) == START


def test_fewer_are_configured_than_there_are_at_the_start() -> None:
    """The configured number is the most."""
    relay = Allows(100, most=2)
    relay.run(0.0)
    assert relay.peak == 2
