"""Whether a refusal is the mail's own fault, or may be that of our configuration; and cuts at the dot."""

import pytest

from mail_sender.backoff import NETWORK, SUSPICION
from mail_sender.sender.breaker import MOST_DOMAINS
from mail_sender.verdict import Refused, RelayDown, Stage
from tests.support.relay_gates import RELAYING, acquire, in_use, key, refused, send, wait
from tests.support.samples import CUT, LATER, NO, OK

SUSPICIOUS = [
    RELAYING, refused("Relay access denied", 554), refused("relaying not permitted", 550, Stage.RCPT),
    refused("5.7.0 policy", 554, Stage.DATA), refused("5.7.26 This mail is unauthenticated", 550, Stage.DOT),
    refused("Sender address rejected: not owned by user", 553),
    refused("Email address is not verified", 554, Stage.DOT), refused("Authentication required", 530),
]  # fmt: skip
ITS_OWN = [
    NO, refused("5.1.1 relaying denied, says a confused relay"), refused("5.2.1 mailbox disabled"),
    refused("5.2.2 mailbox full", 552), refused("5.3.4 too big", 552, Stage.MAIL),
    refused("5.2.3 too big", 552, Stage.DOT), refused("no such user here"), refused("5.7.1 no", 550, Stage.MAIL),
    Refused(None, "no mail"),
]  # fmt: skip


@pytest.mark.parametrize("verdict", SUSPICIOUS, ids=str)
def test_a_refusal_that_may_be_our_fault_opens_the_breaker(verdict: Refused) -> None:
    """The mail is not to blame yet: it stays queued, and the log gets the reply with what may be wrong."""
    relay_gate = in_use()
    judged = send(relay_gate, verdict, 0.0)
    assert isinstance(judged, RelayDown)
    assert judged.lasting
    assert judged.reply == verdict.reply
    assert str(verdict.reply) in judged.detail
    assert not relay_gate.is_closed


@pytest.mark.parametrize("verdict", ITS_OWN, ids=str)
def test_a_refusal_of_an_address_or_a_size_is_the_mails_own(verdict: Refused) -> None:
    """However many domains they come from."""
    relay_gate = in_use()
    for number in range(20 if verdict is NO else 2):
        assert send(relay_gate, verdict, 0.0, key(f"x@{number}.example")) == verdict
    assert relay_gate.is_closed


def test_after_one_suspicious_refusal_a_probe_goes_at_once_and_one_accepted_clears_it() -> None:
    """Also to the same domain, which may be the only one; then a second refusal of the suspect is its own."""
    relay_gate, suspect = in_use(), key()
    send(relay_gate, RELAYING, 0.0, suspect)
    assert not relay_gate.is_closed
    probe = acquire(relay_gate, 0.0, key("bob@Example.com"))
    assert relay_gate.acquire(key("carol@example.com"), 0.0) is None
    assert relay_gate.judge(probe, OK, 0.1) == OK
    assert relay_gate.is_closed
    assert send(relay_gate, RELAYING, 120.0, suspect) == RELAYING


def test_after_two_suspicious_refusals_only_other_domains_probe_at_once() -> None:
    """The rest wait for the probe's time; one accepted clears all."""
    relay_gate = in_use()
    suspects = [key(), key("bob@example.com")]
    for suspect in suspects:
        assert isinstance(send(relay_gate, RELAYING, 0.0, suspect), RelayDown)
    assert relay_gate.retry_in(0.0) == SUSPICION.first
    assert relay_gate.acquire(key("carol@example.com"), 0.1) is None
    assert send(relay_gate, OK, 0.1, key("dave@elsewhere.example")) == OK
    assert relay_gate.is_closed
    assert [send(relay_gate, RELAYING, 120.0, suspect) for suspect in suspects] == [RELAYING, RELAYING]


def test_a_refused_address_unclear_of_a_suspicion_and_costs_no_wait() -> None:
    """The next mail goes at once, however many of them come before a good one."""
    relay_gate = in_use()
    for name in ("a", "b"):
        send(relay_gate, RELAYING, 0.0, key(f"{name}@example.com"))
    for number in range(14):
        assert send(relay_gate, NO, SUSPICION.first, key(f"x{number}@example.com")) == NO
        assert not relay_gate.is_closed
        assert relay_gate.retry_in(SUSPICION.first) == 0
    assert send(relay_gate, OK, SUSPICION.first, key("good@example.com")) == OK
    assert relay_gate.is_closed


def test_a_suspect_that_is_accepted_later_is_no_suspect_any_more() -> None:
    """The relay's policy may have been corrected."""
    relay_gate, suspect = in_use(), key()
    send(relay_gate, RELAYING, 0.0, suspect)
    assert send(relay_gate, OK, 30.0, suspect) == OK
    assert relay_gate.is_closed


def test_ten_domains_probe_a_suspicion_and_then_all_wait() -> None:
    """All are refused: a probe goes after each wait, until one is accepted; nothing fails meanwhile."""
    relay_gate = in_use()
    suspects = [key(f"x@{number}.example") for number in range(MOST_DOMAINS)]
    for number, suspect in enumerate(suspects):
        assert isinstance(send(relay_gate, RELAYING, 0.1 * number, suspect), RelayDown)
    assert relay_gate.acquire(key("x@new.example"), 1.0) is None
    now = 1.0
    for number in range(10):
        now += wait(relay_gate, now)
        assert isinstance(send(relay_gate, RELAYING, now, key(f"y@{number}.example")), RelayDown)
        assert SUSPICION.first < wait(relay_gate, now) <= SUSPICION.most + 0.001
    now += wait(relay_gate, now)
    assert send(relay_gate, OK, now, key()) == OK
    assert relay_gate.is_closed
    for suspect in suspects:
        assert send(relay_gate, RELAYING, now + 1, suspect) == RELAYING
    assert relay_gate.is_closed


def test_probes_of_a_suspicion_go_one_by_one() -> None:
    """While one is in flight the others wait."""
    relay_gate = in_use()
    send(relay_gate, RELAYING, 0.0)
    test = acquire(relay_gate, 0.0, key("x@one.example"))
    assert relay_gate.acquire(key("x@two.example"), 0.0) is None
    relay_gate.judge(test, LATER, 1.0)
    assert acquire(relay_gate, 1.0, key("x@two.example")).is_probe


def test_a_probe_that_is_refused_as_itself_or_deferred_clears_nothing() -> None:
    """Neither says that we may send: the suspicion stays until one is accepted."""
    for verdict in (NO, LATER):
        relay_gate = in_use()
        send(relay_gate, RELAYING, 0.0)
        assert send(relay_gate, verdict, 1.0, key("x@elsewhere.example")) == verdict
        assert not relay_gate.is_closed


def test_three_unclear_refusals_in_a_row_to_two_domains_are_suspicious() -> None:
    """The third is held; with one accepted between them they are each their own."""
    unclear = refused("rejected")
    people = ["a@one.example", "b@one.example", "c@two.example"]
    relay_gate = in_use()
    found = [send(relay_gate, unclear, 0.0, key(person)) for person in people]
    assert found[:2] == [unclear, unclear]
    assert isinstance(found[2], RelayDown)
    calm = in_use()
    for person in people * 3:
        assert send(calm, unclear, 0.0, key(person)) == unclear
        assert send(calm, OK, 0.0) == OK


def test_unclear_refusals_of_one_domain_are_its_own() -> None:
    """That domain may be closed to us; others are not."""
    relay_gate, unclear = in_use(), refused("rejected")
    for number in range(20):
        assert send(relay_gate, unclear, 0.0, key(f"{number}@Example.com")) == unclear
        assert send(relay_gate, unclear, 0.0, key(f"{number}@example.COM")) == unclear


def test_two_mails_cut_at_the_dot_in_a_row_are_the_relays_fault() -> None:
    """One is an accident, as often as it is cut; two different ones without a good one between them open the breaker."""
    relay_gate, same = in_use(), key()
    for _ in range(3):
        assert send(relay_gate, CUT, 0.0, same) == CUT
        assert relay_gate.is_closed
    send(relay_gate, OK, 0.0)
    send(relay_gate, CUT, 0.0)
    assert relay_gate.is_closed
    assert send(relay_gate, CUT, 0.0, key()) == CUT
    assert relay_gate.retry_in(0.0) == NETWORK.first
