"""Whether a refusal is the mail's own fault, or may be that of our configuration; and cuts at the dot."""

import pytest

from mail_sender.backoff import NETWORK, SUSPICION
from mail_sender.sender.circuit import MOST_DOMAINS
from mail_sender.verdict import Refused, RelayDown, Stage
from tests.support.breakers import RELAYING, acquire, in_use, key, refused, send, wait
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
def test_a_refusal_that_may_be_our_fault_opens_the_circuit(verdict: Refused) -> None:
    """The mail is not to blame yet: it stays queued, and the log gets the reply with what may be wrong."""
    breaker = in_use()
    judged = send(breaker, verdict, 0.0)
    assert isinstance(judged, RelayDown)
    assert judged.lasting
    assert judged.reply == verdict.reply
    assert str(verdict.reply) in judged.detail
    assert not breaker.is_closed


@pytest.mark.parametrize("verdict", ITS_OWN, ids=str)
def test_a_refusal_of_an_address_or_a_size_is_the_mails_own(verdict: Refused) -> None:
    """However many domains they come from."""
    breaker = in_use()
    for number in range(20 if verdict is NO else 2):
        assert send(breaker, verdict, 0.0, key(f"x@{number}.example")) == verdict
    assert breaker.is_closed


def test_after_one_suspicious_refusal_a_probe_goes_at_once_and_one_accepted_clears_it() -> None:
    """Also to the same domain, which may be the only one; then a second refusal of the suspect is its own."""
    breaker, suspect = in_use(), key()
    send(breaker, RELAYING, 0.0, suspect)
    assert not breaker.is_closed
    probe = acquire(breaker, 0.0, key("bob@Example.com"))
    assert breaker.acquire(key("carol@example.com"), 0.0) is None
    assert breaker.judge(probe, OK, 0.1) == OK
    assert breaker.is_closed
    assert send(breaker, RELAYING, 120.0, suspect) == RELAYING


def test_after_two_suspicious_refusals_only_other_domains_probe_at_once() -> None:
    """The rest wait for the probe's time; one accepted clears all."""
    breaker = in_use()
    suspects = [key(), key("bob@example.com")]
    for suspect in suspects:
        assert isinstance(send(breaker, RELAYING, 0.0, suspect), RelayDown)
    assert breaker.retry_in(0.0) == SUSPICION.first
    assert breaker.acquire(key("carol@example.com"), 0.1) is None
    assert send(breaker, OK, 0.1, key("dave@elsewhere.example")) == OK
    assert breaker.is_closed
    assert [send(breaker, RELAYING, 120.0, suspect) for suspect in suspects] == [RELAYING, RELAYING]


def test_a_refused_address_unclear_of_a_suspicion_and_costs_no_wait() -> None:
    """The next mail goes at once, however many of them come before a good one."""
    breaker = in_use()
    for name in ("a", "b"):
        send(breaker, RELAYING, 0.0, key(f"{name}@example.com"))
    for number in range(14):
        assert send(breaker, NO, SUSPICION.first, key(f"x{number}@example.com")) == NO
        assert not breaker.is_closed
        assert breaker.retry_in(SUSPICION.first) == 0
    assert send(breaker, OK, SUSPICION.first, key("good@example.com")) == OK
    assert breaker.is_closed


def test_a_suspect_that_is_accepted_later_is_no_suspect_any_more() -> None:
    """The relay's policy may have been corrected."""
    breaker, suspect = in_use(), key()
    send(breaker, RELAYING, 0.0, suspect)
    assert send(breaker, OK, 30.0, suspect) == OK
    assert breaker.is_closed


def test_ten_domains_probe_a_suspicion_and_then_all_wait() -> None:
    """All are refused: a probe goes after each wait, until one is accepted; nothing fails meanwhile."""
    breaker = in_use()
    suspects = [key(f"x@{number}.example") for number in range(MOST_DOMAINS)]
    for number, suspect in enumerate(suspects):
        assert isinstance(send(breaker, RELAYING, 0.1 * number, suspect), RelayDown)
    assert breaker.acquire(key("x@new.example"), 1.0) is None
    now = 1.0
    for number in range(10):
        now += wait(breaker, now)
        assert isinstance(send(breaker, RELAYING, now, key(f"y@{number}.example")), RelayDown)
        assert SUSPICION.first < wait(breaker, now) <= SUSPICION.most + 0.001
    now += wait(breaker, now)
    assert send(breaker, OK, now, key()) == OK
    assert breaker.is_closed
    for suspect in suspects:
        assert send(breaker, RELAYING, now + 1, suspect) == RELAYING
    assert breaker.is_closed


def test_probes_of_a_suspicion_go_one_by_one() -> None:
    """While one is in flight the others wait."""
    breaker = in_use()
    send(breaker, RELAYING, 0.0)
    test = acquire(breaker, 0.0, key("x@one.example"))
    assert breaker.acquire(key("x@two.example"), 0.0) is None
    breaker.judge(test, LATER, 1.0)
    assert acquire(breaker, 1.0, key("x@two.example")).is_probe


def test_a_probe_that_is_refused_as_itself_or_deferred_clears_nothing() -> None:
    """Neither says that we may send: the suspicion stays until one is accepted."""
    for verdict in (NO, LATER):
        breaker = in_use()
        send(breaker, RELAYING, 0.0)
        assert send(breaker, verdict, 1.0, key("x@elsewhere.example")) == verdict
        assert not breaker.is_closed


def test_three_unclear_refusals_in_a_row_to_two_domains_are_suspicious() -> None:
    """The third is held; with one accepted between them they are each their own."""
    unclear = refused("rejected")
    people = ["a@one.example", "b@one.example", "c@two.example"]
    breaker = in_use()
    found = [send(breaker, unclear, 0.0, key(person)) for person in people]
    assert found[:2] == [unclear, unclear]
    assert isinstance(found[2], RelayDown)
    calm = in_use()
    for person in people * 3:
        assert send(calm, unclear, 0.0, key(person)) == unclear
        assert send(calm, OK, 0.0) == OK


def test_unclear_refusals_of_one_domain_are_its_own() -> None:
    """That domain may be closed to us; others are not."""
    breaker, unclear = in_use(), refused("rejected")
    for number in range(20):
        assert send(breaker, unclear, 0.0, key(f"{number}@Example.com")) == unclear
        assert send(breaker, unclear, 0.0, key(f"{number}@example.COM")) == unclear


def test_two_mails_cut_at_the_dot_in_a_row_are_the_relays_fault() -> None:
    """One is an accident, as often as it is cut; two different ones without a good one between them open the circuit."""
    breaker, same = in_use(), key()
    for _ in range(3):
        assert send(breaker, CUT, 0.0, same) == CUT
        assert breaker.is_closed
    send(breaker, OK, 0.0)
    send(breaker, CUT, 0.0)
    assert breaker.is_closed
    assert send(breaker, CUT, 0.0, key()) == CUT
    assert breaker.retry_in(0.0) == NETWORK.first
