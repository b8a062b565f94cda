"""Whether a refusal is the mail's own fault, or may be that of our configuration; and cuts at the dot."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.backoff import ALLOWANCE, NETWORK, SUSPICION
from mail_sender.relay.refusals import blame
from mail_sender.sender.breaker import MOST_DOMAINS
from mail_sender.sender.own_fault import MOST_SUSPECTED, ROW_LASTS, SUSPECTED_FOR, Suspicions
from mail_sender.verdict import Blame, Deferred, Refused, RelayDown, Reply, Stage, Throttled
from tests.support.known_replies import KNOWN, on
from tests.support.relay_gates import RELAYING, acquire, in_use, key, refused, send, wait
from tests.support.samples import CUT, LATER, NO, OK

SUSPICIOUS = [
    RELAYING, refused("Relay access denied", 554), refused("relaying not permitted", 550, Stage.RCPT),
    refused("5.7.0 policy", 554, Stage.DATA), refused("5.7.26 This mail is unauthenticated", 550, Stage.DOT),
    refused("Sender address rejected: not owned by user", 553),
    refused("Email address is not verified", 554, Stage.DOT), refused("Authentication required", 550),
]  # fmt: skip
OF_ONE_RECIPIENT = [
    NO, refused("5.2.1 mailbox disabled"), refused("5.2.2 mailbox full", 552), refused("no such user here"),
    refused("5.1.10 <ellie@example.com>: Recipient address rejected: nullMX", 556), Refused(None, "no mail"),
]  # fmt: skip
OF_ONE_MAIL = [
    refused("5.3.4 too big", 552, Stage.MAIL), refused("5.2.3 too big", 552, Stage.DOT), refused("rejected"),
    refused("5.7.1 excessive spam score", 550, Stage.DOT), refused("", 554, Stage.DATA),
]  # fmt: skip
NEVER_OF_ONE_MAIL = [
    (554, Stage.DOT, "5.2.252 SendAsDenied; a@example.net not allowed to send as idm@example.com"),
    (550, Stage.RCPT, "5.4.5 Daily user sending limit exceeded"),
    (550, Stage.DOT, "5.4.5 Daily user sending quota exceeded"),
    (450, Stage.RCPT, "4.7.1 this account has used up its mails for this hour"),
    (451, Stage.MAIL, "4.0.0 backend: invalid return path: not owned by user"),
    (421, Stage.DATA, "Domain example.com is not allowed to send: Sandbox subdomains are for test purposes only"),
    (451, Stage.DOT, "4.3.0 Error: queue file write error"),
    (452, Stage.MAIL, "4.3.1 Insufficient system storage"),
]


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


@pytest.mark.parametrize("verdict", OF_ONE_RECIPIENT, ids=str)
def test_a_refusal_of_an_address_is_that_recipients(verdict: Refused) -> None:
    """However many addresses of one domain it concerns."""
    relay_gate = in_use()
    for number in range(20):
        assert send(relay_gate, verdict, 0.0, key(f"{number}@example.com")) == verdict
    assert relay_gate.is_closed


def test_unknown_recipients_of_two_domains_in_a_row_are_suspicious_from_the_third_on() -> None:
    """The relay's directory may be broken. One accepted between them, or an hour, shows that it is not."""
    relay_gate = in_use()
    found = [send(relay_gate, NO, 0.0, key(f"x@{number}.example")) for number in range(3)]
    assert found[:2] == [NO, NO]
    assert isinstance(found[2], RelayDown)
    relay_gate = in_use()
    for number in range(9):
        assert send(relay_gate, NO, 0.0, key(f"x@{number}.example")) == NO
        assert send(relay_gate, OK, 0.0) == OK
    relay_gate = in_use()
    for number in range(9):
        assert send(relay_gate, NO, number * (ROW_LASTS + 1), key(f"x@{number}.example")) == NO


@pytest.mark.parametrize("verdict", OF_ONE_MAIL, ids=str)
def test_a_second_mail_that_is_refused_alike_is_suspicious(verdict: Refused) -> None:
    """Also in one domain, which may be the only one: all our mails are alike. The first one is its own fault."""
    relay_gate, second = in_use(), key()
    assert send(relay_gate, verdict, 0.0) == verdict
    assert isinstance(send(relay_gate, verdict, 0.0, second), RelayDown)
    assert send(relay_gate, OK, 0.0) == OK
    assert send(relay_gate, verdict, 120.0, second) == verdict


@pytest.mark.parametrize(("code", "stage", "text"), NEVER_OF_ONE_MAIL)
def test_account_quota_and_the_relays_trouble_cost_no_mail_anything(code: int, stage: Stage, text: str) -> None:
    """Whatever their stage, code, or number of domains: mail waits, as long as it lasts, and one mail probes."""
    relay_gate, now = in_use(), 0.0
    verdict = on(stage, f"{code} {text}")
    for number in range(200):
        now += wait(relay_gate, now)
        assert isinstance(send(relay_gate, verdict, now, key(f"{number}@{number % 3}.example")), RelayDown)
        assert number == 0 or wait(relay_gate, now) >= NETWORK.first
    assert wait(relay_gate, now) <= ALLOWANCE.most
    assert send(relay_gate, OK, now + wait(relay_gate, now)) == OK
    assert relay_gate.is_closed


def test_what_is_the_accounts_fault_is_never_final_not_even_for_a_mail_that_was_suspected() -> None:
    """Others were accepted since: then it counts as an attempt. A quota counts never, and stops others only once."""
    account = refused("5.2.252 SendAsDenied", 554, Stage.DOT)
    relay_gate, suspect = in_use(), key()
    send(relay_gate, account, 0.0, suspect)
    send(relay_gate, OK, 1.0)
    assert send(relay_gate, account, 120.0, suspect) == Deferred(Stage.DOT, Reply(554, "5.2.252 SendAsDenied"))
    quota = refused("5.4.5 Daily user sending limit exceeded")
    relay_gate = in_use()
    assert isinstance(send(relay_gate, quota, 0.0, suspect), RelayDown)
    for now in range(600, 3600, 600):
        send(relay_gate, OK, now - 1)
        judged = send(relay_gate, quota, now, suspect)
        assert isinstance(judged, Throttled)
        assert judged.is_own
        assert relay_gate.is_closed
    send(relay_gate, OK, 3600.0)
    assert isinstance(send(relay_gate, quota, 3601.0), RelayDown)


def test_a_mail_that_met_a_limit_before_is_no_suspect_of_another_fault() -> None:
    """The account's fault, when it begins, is not final for it although others were accepted since."""
    relay_gate, limited = in_use(), key()
    send(relay_gate, refused("5.4.5 Daily user sending limit exceeded"), 0.0, limited)
    send(relay_gate, OK, 1.0)
    assert isinstance(send(relay_gate, RELAYING, 120.0, limited), RelayDown)


def test_one_deferred_mail_is_its_own_and_the_same_words_to_a_second_are_not() -> None:
    """But greylisting is, however many it meets."""
    relay_gate, later = in_use(), on(Stage.RCPT, "450 4.7.1 try again later (a1b2)")
    assert send(relay_gate, later, 0.0) == later
    assert isinstance(send(relay_gate, on(Stage.RCPT, "450 4.7.1 try again later (c3d4)"), 0.0), RelayDown)
    relay_gate = in_use()
    for number in range(20):
        assert send(relay_gate, LATER, 0.0, key(f"x@{number}.example")) == LATER


def test_suspicion_is_forgotten_in_time_however_many_mails_it_met() -> None:
    """After 18 hours and 1,100 suspects, a recipient that is refused for itself opens the breaker no more than once."""
    relay_gate, now = in_use(), 0.0
    for number in range(1_100):
        now += max(wait(relay_gate, now), 60.0)
        send(relay_gate, RELAYING, now, key(f"x@{number}.example"))
    now += wait(relay_gate, now)
    assert send(relay_gate, OK, now) == OK
    suspect = key()
    assert isinstance(send(relay_gate, RELAYING, now, suspect), RelayDown)
    assert send(relay_gate, OK, now + 1) == OK
    assert send(relay_gate, RELAYING, now + 120, suspect) == RELAYING
    suspicions = Suspicions()
    for number in range(MOST_SUSPECTED + 5):
        suspicions.judge(key(), RELAYING, float(number) / 1000)
    suspicions.judge(key(), RELAYING, SUSPECTED_FOR + 100)
    assert suspicions.suspected == 1


REPLIES = st.one_of(
    st.sampled_from([(reply.code, reply.text) for _, _, reply in KNOWN]),
    st.tuples(st.integers(400, 599), st.text(max_size=80)),
)


@given(REPLIES, st.sampled_from([Stage.MAIL, Stage.RCPT, Stage.DATA, Stage.DOT]), st.integers(1, 8))
def test_no_reply_to_eight_mails_alike_makes_more_than_one_final_while_the_relay_is_suspected(
    reply: tuple[int, str], stage: Stage, domains: int
) -> None:
    """Only words about the recipient do, before the relay is suspected: never afterwards."""
    relay_gate, now, final = in_use(), 0.0, 0
    for number in range(8):
        now += wait(relay_gate, now)
        is_suspected = not relay_gate.is_closed
        judged = send(
            relay_gate, on(stage, f"{reply[0]} {reply[1]}"), now, key(f"{number}@{number % domains}.example")
        )
        final += isinstance(judged, Refused) and (is_suspected or blame(stage, Reply(*reply)) is not Blame.RECIPIENT)
    assert final <= 1


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
