"""The pace: how fast mails go to a relay that wants them more slowly, or fewer at a time."""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from mail_sender.backoff import ALLOWANCE, MAKE_WAY, PACE, STEP_BACK
from mail_sender.ledger.base import Key
from mail_sender.sender.in_flight_limit import LIMIT_LASTS
from mail_sender.sender.pace import FASTER_AFTER, HALVED_EVERY, TOO_FAST_LASTS, Pace
from mail_sender.sender.relay_gate import Permit, RelayGate
from mail_sender.verdict import Accepted, RelayDown, Stage, Throttled, Verdict
from tests.support.known_replies import on
from tests.support.relay_gates import acquire, in_use, key, send, wait
from tests.support.samples import OK

THREAD_LIMIT = on(Stage.DOT, "432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded")
RATE = on(Stage.DOT, "454 Throttling failure: Maximum sending rate exceeded")
HOUR_USED_UP = on(Stage.RCPT, "450 4.7.1 this account has used up its mails for this hour")
SECONDS_A_MAIL = 0.05


@dataclass
class Relay:
    """A relay in time that goes as fast as the mails need: `judge` says what it makes of one."""

    answer: Callable[["Relay"], Verdict]
    now: float = 0.0
    in_flight: int = 0
    accepted: list[float] = field(default_factory=list)
    refused: int = 0

    def take(self, mails: int) -> None:
        """Send mails through a gate until all are accepted; what comes back is due again as `settle` has it."""
        gate = in_use()
        due = deque((0.0, key(f"{number}@example.com")) for number in range(mails))
        running: deque[tuple[float, Permit, Verdict, Key]] = deque()
        while len(self.accepted) < mails:
            assert self.now < 200_000, "it does not come to an end"
            if running and running[0][0] <= self.now:
                _, permit, verdict, mail = running.popleft()
                self.in_flight -= 1
                judged = gate.judge(permit, verdict, self.now)
                if isinstance(judged, Accepted):
                    self.accepted.append(self.now)
                    continue
                assert isinstance(judged, Throttled | RelayDown), "a mail has an attempt counted"
                self.refused += 1
                back = MAKE_WAY if isinstance(judged, Throttled) else STEP_BACK
                due.append((self.now + back.total_seconds(), mail))
                continue
            ready = next((entry for entry in due if entry[0] <= self.now), None)
            started = gate.acquire(ready[1], self.now) if ready and gate.capacity(self.now) else None
            if ready is None or started is None:
                self.now += 0.01
                continue
            due.remove(ready)
            self.in_flight += 1
            running.append((self.now + SECONDS_A_MAIL, started, self.answer(self), ready[1]))


def test_a_relay_that_takes_a_mail_each_second_gets_three_hundred_in_little_more_than_that() -> None:
    """The pace is learned by few refusals, and no mail has an attempt counted."""
    taken = [-1.0]

    def one_a_second(relay: Relay) -> Verdict:
        if relay.now - taken[-1] < 1.0:
            return RATE
        taken.append(relay.now)
        return OK

    relay = Relay(one_a_second)
    relay.take(300)
    assert relay.now < 450
    assert relay.refused < 30


def test_a_relay_that_takes_three_at_a_time_gets_three_at_a_time() -> None:
    """The fourth is turned away once, and comes again soon."""
    relay = Relay(lambda relay: THREAD_LIMIT if relay.in_flight > 3 else OK)
    relay.take(300)
    assert relay.refused == 1
    assert relay.now < 300 * SECONDS_A_MAIL


def test_a_quota_of_twenty_an_hour_sends_sixty_in_three_hours() -> None:
    """It is found open again within ten minutes, and costs a probe each time that it is not."""

    def twenty_an_hour(relay: Relay) -> Verdict:
        this_hour = [at for at in relay.accepted if at // 3600 == relay.now // 3600]
        return HOUR_USED_UP if len(this_hour) + relay.in_flight > 20 else OK

    relay = Relay(twenty_an_hour)
    relay.take(60)
    assert relay.now < 2 * 3600 + ALLOWANCE.most + 60
    assert relay.refused < 40


def test_a_pace_that_was_too_fast_is_not_tried_again_for_a_while() -> None:
    """Afterwards it is."""
    pace = Pace()
    for now in range(3):
        pace.slower(now)
    assert pace.between(3.0) == 4 * PACE.first
    for _ in range(20 * FASTER_AFTER):
        pace.faster(3.0)
    assert pace.between(3.0) == pytest.approx(2 * PACE.first * 1.1)
    for _ in range(20 * FASTER_AFTER):
        pace.faster(TOO_FAST_LASTS + 3.0)
    assert pace.between(TOO_FAST_LASTS + 3.0) == 0


def test_a_slow_pace_is_forgotten_in_time_although_no_mail_goes() -> None:
    """Tomorrow's mails do not pay for today's rush."""
    pace = Pace()
    for _ in range(20):
        pace.slower(0.0)
    assert pace.between(TOO_FAST_LASTS) == PACE.most
    assert pace.between(TOO_FAST_LASTS + HALVED_EVERY) == PACE.most / 2
    assert pace.between(TOO_FAST_LASTS + 10 * HALVED_EVERY) == 0
    assert pace.between(1e6) == 0


@pytest.mark.parametrize(("seconds", "is_closed"), [(12, True), (92, False)])
def test_a_relay_that_names_a_time_is_left_alone_for_that_long(seconds: int, is_closed: bool) -> None:
    """No mail starts before, unless an operator wants it; a longer time than the slowest pace opens the breaker."""
    relay_gate = in_use()
    send(relay_gate, on(Stage.DOT, f"550 Too many messages. Try again in {seconds} seconds"), 0.0)
    assert relay_gate.is_closed is is_closed
    assert wait(relay_gate, 0.0) == seconds + 5
    assert relay_gate.acquire(key(), seconds + 4.9) is None
    relay_gate.probe_now()
    acquire(relay_gate, 1.0)


def test_a_relay_that_is_never_slow_enough_opens_the_breaker() -> None:
    """Then one mail probes from time to time, up to ten minutes apart."""
    relay_gate, now = in_use(), 0.0
    judged: Verdict = OK
    for _ in range(20):
        now += wait(relay_gate, now)
        judged = send(relay_gate, RATE, now)
    assert isinstance(judged, RelayDown)
    assert wait(relay_gate, now) == ALLOWANCE.most
    assert "provider's limits" in judged.advice


def test_fewer_at_a_time_holds_for_a_while() -> None:
    """A mail turned away while others are in flight says nothing of the time between two."""
    relay_gate = RelayGate()
    send(relay_gate, OK, 0.0)
    permits = [acquire(relay_gate, 1.0) for _ in range(4)]
    assert isinstance(relay_gate.judge(permits[3], THREAD_LIMIT, 1.0), Throttled)
    assert relay_gate.pace(1.0) == (3, 0.0)
    assert relay_gate.pace(1.0 + LIMIT_LASTS) == (4, 0.0)
