"""The breaker: when a mail waits, and when one goes as a probe."""

import pytest

from mail_sender.backoff import ALLOWANCE, LOGIN, NEEDS_A_PERSON, NETWORK, Backoff
from mail_sender.verdict import RelayDown, Stage, Verdict
from tests.support.known_replies import on
from tests.support.relay_gates import BAD_CERTIFICATE, BAD_LOGIN, acquire, in_use, key, send
from tests.support.samples import CUT, DOWN, LATER, NO, OK

TABLE = [
    (DOWN, NETWORK, [5, 10, 20, 30, 30, 30]),
    (RelayDown(Stage.AUTH, "454", "wait", lasting=False), NETWORK, [5, 10, 20, 30]),
    (BAD_CERTIFICATE, NEEDS_A_PERSON, [30, 60, 120, 240, 300, 300]),
    (BAD_LOGIN, LOGIN, [60, 120, 240, 480, 900, 900]),
    (RelayDown(Stage.TOKEN, "invalid_client", "mend it", lasting=True), LOGIN, [60, 120, 240, 480, 900, 900]),
    (RelayDown(Stage.TOKEN, "503", "wait", lasting=False), NETWORK, [5, 10, 20, 30, 30]),
    (on(Stage.AUTH, "451 Authentication failed: Maximum credits exceeded"), ALLOWANCE, [60, 120, 240, 480, 600]),
    (
        on(Stage.AUTH, "454 4.7.0 Too many login attempts, please try again later"),
        ALLOWANCE,
        [60, 120, 240, 480, 600],
    ),
    (on(Stage.MAIL, "550 5.4.5 Daily user sending quota exceeded"), ALLOWANCE, [60, 120, 240, 480, 600]),
    (on(Stage.BANNER, "421 4.7.0 too many connections"), NETWORK, [5, 10, 20, 30, 30]),
]


@pytest.mark.parametrize("verdict", [OK, NO, LATER, CUT])
def test_what_the_relay_says_of_one_mail_leaves_the_breaker_closed(verdict: Verdict) -> None:
    """It is nobody else's fault."""
    relay_gate = in_use()
    assert send(relay_gate, verdict, 0.0) == verdict
    assert relay_gate.is_closed


@pytest.mark.parametrize(("verdict", "backoff", "waits"), TABLE)
def test_an_open_breaker_is_probed_after_waits_that_double(
    verdict: RelayDown, backoff: Backoff, waits: list[int]
) -> None:
    """One mail after each wait, and none before; up to the longest wait."""
    relay_gate, now = in_use(), 100.0
    send(relay_gate, verdict, now)
    assert (waits[0], waits[-1]) == (backoff.first, backoff.most)
    for wait in waits:
        assert relay_gate.retry_in(now) == wait
        assert relay_gate.acquire(key(), now + wait - 0.001) is None
        now += wait
        assert relay_gate.retry_in(now) == 0.0
        probe = acquire(relay_gate, now)
        assert probe.is_probe
        assert relay_gate.acquire(key(), now) is None
        assert relay_gate.retry_in(now) is None
        assert relay_gate.judge(probe, verdict, now) == verdict


def test_a_relay_that_names_a_longer_wait_is_left_alone_for_that_long() -> None:
    """At whatever stage it says so."""
    relay_gate = in_use()
    send(relay_gate, on(Stage.AUTH, "454 4.7.0 temporary failure, try again in 300 seconds"), 0.0)
    assert relay_gate.retry_in(0.0) == 305


def test_a_probe_that_succeeds_closes_the_breaker_and_the_next_wait_is_the_first() -> None:
    """A refusal of the mail itself is a success, too: the relay works."""
    for verdict in (OK, LATER, NO):
        relay_gate = in_use()
        send(relay_gate, DOWN, 0.0)
        send(relay_gate, DOWN, 5.0)
        send(relay_gate, verdict, 15.0)
        assert [acquire(relay_gate, 15.0).is_probe for _ in range(4)] == [False] * 4
        send(relay_gate, DOWN, 16.0)
        assert relay_gate.retry_in(16.0) == NETWORK.first


def test_a_fault_that_changes_while_the_breaker_is_open_changes_the_wait() -> None:
    """From the network to a bad login at its first wait at least, and back to no more than the network's longest."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    send(relay_gate, BAD_LOGIN, 5.0)
    assert relay_gate.retry_in(5.0) == LOGIN.first
    send(relay_gate, DOWN, 65.0)
    assert relay_gate.retry_in(65.0) == NETWORK.most


def test_only_the_probes_end_counts_while_the_breaker_is_open() -> None:
    """Of four mails in flight one opened it, and the others neither make the wait longer nor close it."""
    relay_gate = in_use()
    first, second, third, fourth = (acquire(relay_gate, 0.0) for _ in range(4))
    relay_gate.judge(first, DOWN, 1.0)
    relay_gate.judge(second, DOWN, 2.0)
    relay_gate.judge(third, OK, 3.0)
    assert relay_gate.retry_in(3.0) == 3.0
    probe = acquire(relay_gate, 6.0)
    relay_gate.judge(fourth, DOWN, 7.0)
    assert relay_gate.retry_in(7.0) is None
    relay_gate.judge(probe, OK, 8.0)
    assert relay_gate.is_closed


def test_a_mail_from_before_the_outage_does_not_open_the_breaker_again() -> None:
    """A time-out that comes late says nothing of the relay that works again."""
    relay_gate = in_use()
    slow = acquire(relay_gate, 0.0)
    send(relay_gate, DOWN, 0.0)
    send(relay_gate, OK, 5.0)
    assert relay_gate.judge(slow, DOWN, 60.0) == DOWN
    assert relay_gate.is_closed


def test_a_probe_without_a_verdict_is_given_back() -> None:
    """Its message may have been withdrawn: the next mail is the probe, at once."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    relay_gate.release(acquire(relay_gate, 5.0))
    assert acquire(relay_gate, 5.0).is_probe


def test_giving_back_what_is_no_probe_changes_nothing() -> None:
    """A mail from before the outage does not free the probe's place."""
    relay_gate = in_use()
    early = acquire(relay_gate, 0.0)
    send(relay_gate, DOWN, 0.0)
    acquire(relay_gate, 5.0)
    relay_gate.release(early)
    assert relay_gate.acquire(key(), 5.0) is None


def test_the_operator_may_have_it_probed_at_once() -> None:
    """Whatever the wait; a closed breaker, and a probe in flight, are left alone."""
    relay_gate = in_use()
    relay_gate.probe_now()
    assert relay_gate.is_closed
    send(relay_gate, BAD_LOGIN, 0.0)
    relay_gate.probe_now()
    probe = acquire(relay_gate, 0.0)
    relay_gate.probe_now()
    assert relay_gate.acquire(key(), 0.0) is None
    relay_gate.judge(probe, BAD_LOGIN, 1.0)
    assert relay_gate.retry_in(1.0) == 2 * LOGIN.first


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.BODY])
def test_a_domain_at_which_the_relay_fails_keeps_no_other_waiting(stage: Stage) -> None:
    """A 421 to one domain's recipients, or a cut during their mails, says nothing of the others."""
    relay_gate = in_use()
    for number in range(20):
        now = 200.0 * number
        assert isinstance(send(relay_gate, RelayDown(stage, "421", "wait", lasting=False), now), RelayDown)
        assert relay_gate.acquire(key(), now) is None
        assert send(relay_gate, OK, now, key("x@elsewhere.example")) == OK
        assert relay_gate.is_closed


def test_a_relay_that_is_dead_is_not_probed_by_other_domains() -> None:
    """Where the connection fails, it fails for all."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    assert relay_gate.acquire(key("x@elsewhere.example"), 1.0) is None


def test_a_probe_at_its_dot_leaves_its_place_to_the_next_one() -> None:
    """It may hang there for ten minutes; the relay may be back long before."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    hanging = acquire(relay_gate, 5.0)
    relay_gate.reached_dot(hanging, 6.0)
    assert relay_gate.acquire(key(), 6.0) is None
    assert send(relay_gate, OK, 6.0 + NETWORK.first) == OK
    assert relay_gate.is_closed
    assert relay_gate.judge(hanging, CUT, 600.0) == CUT
    assert relay_gate.is_closed


def test_a_probe_of_an_earlier_outage_keeps_no_later_probe_waiting() -> None:
    """The breaker was closed meanwhile by a probe that had hung at its dot: the one after it is a mail like others."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    hanging = acquire(relay_gate, 5.0)
    relay_gate.reached_dot(hanging, 6.0)
    late = acquire(relay_gate, 20.0)
    relay_gate.judge(hanging, OK, 21.0)
    send(relay_gate, DOWN, 22.0)
    assert relay_gate.retry_in(22.0) == NETWORK.first
    relay_gate.judge(late, OK, 23.0)
    assert not relay_gate.is_closed


def test_a_probe_that_is_cut_at_its_dot_does_not_close_the_breaker() -> None:
    """Nobody knows whether it arrived; the next probe waits longer."""
    relay_gate = in_use()
    send(relay_gate, DOWN, 0.0)
    send(relay_gate, CUT, 5.0)
    assert relay_gate.retry_in(5.0) == 10.0
