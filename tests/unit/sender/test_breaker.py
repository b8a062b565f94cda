"""The lane: when a letter may go, and whose fault it is that it could not."""

from itertools import count
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.backoff import Backoff
from mail_sender.ledger.base import Key
from mail_sender.sender.breaker import (
    LASTING,
    LIMIT_LASTS,
    LOGIN,
    MOST_TESTED,
    STAGGER,
    SUSPICION,
    WEATHER,
    Breaker,
    Permit,
)
from mail_sender.verdict import Accepted, Refused, RelayDown, Reply, Stage, Uncertain, Verdict
from tests.support.samples import CUT, DOWN, LATER, NO, OK

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


def enter(breaker: Breaker, now: float, of: Key | None = None) -> Permit:
    """Enter a lane that lets one in."""
    permit = breaker.enter(of or key(), now)
    assert permit is not None
    return permit


def carry(breaker: Breaker, verdict: Verdict, now: float, of: Key | None = None) -> Verdict:
    """Send a letter through a lane that lets it in; return who is to blame."""
    return breaker.judge(enter(breaker, now, of), verdict, now)


def in_use() -> Breaker:
    """Return a lane through which a letter has come, a while ago."""
    breaker = Breaker()
    carry(breaker, OK, -100.0)
    return breaker


def test_an_open_lane_lets_everybody_in() -> None:
    """As many as come."""
    breaker = in_use()
    assert [enter(breaker, 0.0).probe for _ in range(10)] == [False] * 10
    assert (breaker.is_shut, breaker.opens_in(0.0)) == (False, 0.0)


@pytest.mark.parametrize("verdict", [OK, NO, LATER, CUT])
def test_what_the_relay_says_of_one_mail_leaves_the_lane_open(verdict: Verdict) -> None:
    """And is nobody else's fault."""
    breaker = in_use()
    assert carry(breaker, verdict, 0.0) == verdict
    assert not breaker.is_shut


# Backoff

TABLE = [
    (DOWN, WEATHER, [5, 10, 20, 30, 30, 30]),
    (BAD_CERTIFICATE, LASTING, [30, 60, 120, 240, 300, 300]),
    (BAD_LOGIN, LOGIN, [60, 120, 240, 480, 900, 900]),
]


@pytest.mark.parametrize(("verdict", "backoff", "waits"), TABLE)
def test_a_lane_that_is_down_is_probed_in_slots_that_double(
    verdict: RelayDown, backoff: Backoff, waits: list[int]
) -> None:
    """One letter in each, and none before its time; up to the longest wait."""
    breaker, now = in_use(), 100.0
    carry(breaker, verdict, now)
    assert (waits[0], waits[-1]) == (backoff.first, backoff.most)
    for wait in waits:
        assert breaker.opens_in(now) == wait
        assert breaker.enter(key(), now + wait - 0.001) is None
        now += wait
        assert breaker.opens_in(now) == 0.0
        probe = enter(breaker, now)
        assert probe.probe
        assert breaker.enter(key(), now) is None
        assert breaker.opens_in(now) == float("inf")
        assert breaker.judge(probe, verdict, now) == verdict


def test_a_login_that_is_down_for_the_moment_is_weather() -> None:
    """454 to AUTH passes by itself."""
    breaker = in_use()
    carry(breaker, RelayDown(Stage.AUTH, "454", "wait", lasting=False), 0.0)
    assert breaker.opens_in(0.0) == WEATHER.first


def test_a_probe_that_succeeds_opens_the_lane_and_the_next_wait_is_the_first() -> None:
    """What it said of its letter does not matter, where it said something of a letter."""
    for verdict in (OK, LATER, NO):
        breaker = in_use()
        carry(breaker, DOWN, 0.0)
        carry(breaker, DOWN, 5.0)
        carry(breaker, verdict, 15.0)
        assert [enter(breaker, 15.0).probe for _ in range(4)] == [False] * 4
        carry(breaker, DOWN, 16.0)
        assert breaker.opens_in(16.0) == WEATHER.first


def test_what_changes_while_the_lane_is_shut_changes_its_wait() -> None:
    """From weather to a bad login at its first wait at least, and back to no more than the weather's longest."""
    breaker = in_use()
    carry(breaker, DOWN, 0.0)
    carry(breaker, BAD_LOGIN, 5.0)
    assert breaker.opens_in(5.0) == LOGIN.first
    carry(breaker, DOWN, 65.0)
    assert breaker.opens_in(65.0) == WEATHER.most


def test_only_the_probes_end_counts_while_the_lane_is_shut() -> None:
    """Four letters under way when it broke: one shut it, and the others neither shut it longer nor open it."""
    breaker = in_use()
    first, second, third, fourth = (enter(breaker, 0.0) for _ in range(4))
    breaker.judge(first, DOWN, 1.0)
    breaker.judge(second, DOWN, 2.0)
    breaker.judge(third, OK, 3.0)
    assert breaker.opens_in(3.0) == 3.0
    probe = enter(breaker, 6.0)
    breaker.judge(fourth, DOWN, 7.0)
    assert breaker.opens_in(7.0) == float("inf")
    breaker.judge(probe, OK, 8.0)
    assert not breaker.is_shut


def test_a_mail_of_an_earlier_opening_does_not_shut_the_lane_again() -> None:
    """A time-out that comes late says nothing of the relay that works again."""
    breaker = in_use()
    slow = enter(breaker, 0.0)
    carry(breaker, DOWN, 0.0)
    carry(breaker, OK, 5.0)
    assert breaker.judge(slow, DOWN, 60.0) == DOWN
    assert not breaker.is_shut


def test_a_probe_of_which_nothing_came_is_given_back() -> None:
    """Its message was withdrawn, say: the next letter is the probe, at once."""
    breaker = in_use()
    carry(breaker, DOWN, 0.0)
    breaker.leave(enter(breaker, 5.0))
    assert enter(breaker, 5.0).probe


def test_giving_back_what_is_no_probe_changes_nothing() -> None:
    """A letter from before the lane was shut does not free the probe's place."""
    breaker = in_use()
    early = enter(breaker, 0.0)
    carry(breaker, DOWN, 0.0)
    enter(breaker, 5.0)
    breaker.leave(early)
    assert breaker.enter(key(), 5.0) is None


def test_the_operator_may_have_it_probed_at_once() -> None:
    """Whatever the wait; an open lane, and a probe under way, are left alone."""
    breaker = in_use()
    breaker.probe_now()
    assert not breaker.is_shut
    carry(breaker, BAD_LOGIN, 0.0)
    breaker.probe_now()
    probe = enter(breaker, 0.0)
    breaker.probe_now()
    assert breaker.enter(key(), 0.0) is None
    breaker.judge(probe, BAD_LOGIN, 1.0)
    assert breaker.opens_in(1.0) == 2 * LOGIN.first


# Blame

SUSPICIOUS = [
    RELAYING,
    refused("Relay access denied", 554),
    refused("relaying not permitted", 550, Stage.RCPT),
    refused("5.7.0 policy", 554, Stage.DATA),
    refused("5.7.26 This mail is unauthenticated", 550, Stage.DOT),
    refused("Sender address rejected: not owned by user", 553),
    refused("Email address is not verified", 554, Stage.DOT),
    refused("Authentication required", 530),
]
ITS_OWN = [
    NO,
    refused("5.1.1 relaying denied, says a confused relay"),
    refused("5.2.1 mailbox disabled"),
    refused("5.2.2 mailbox full", 552),
    refused("5.3.4 too big", 552, Stage.MAIL),
    refused("5.2.3 too big", 552, Stage.DOT),
    refused("no such user here"),
    refused("5.7.1 no", 550, Stage.MAIL),
    Refused(None, "no mail"),
]


@pytest.mark.parametrize("verdict", SUSPICIOUS, ids=str)
def test_a_refusal_that_may_be_our_fault_holds_the_lane(verdict: Refused) -> None:
    """The letter is not to blame yet: it keeps its place, and the reply is told with what may be wrong."""
    breaker = in_use()
    judged = carry(breaker, verdict, 0.0)
    assert isinstance(judged, RelayDown)
    assert judged.lasting
    assert judged.reply == verdict.reply
    assert str(verdict.reply) in judged.detail
    assert breaker.is_shut


@pytest.mark.parametrize("verdict", ITS_OWN, ids=str)
def test_a_refusal_of_an_address_or_a_size_is_the_mails_own(verdict: Refused) -> None:
    """However many of them come."""
    breaker = in_use()
    for domain in ("a.example", "b.example"):
        assert carry(breaker, verdict, 0.0, key(f"x@{domain}")) == verdict
    assert not breaker.is_shut


def test_refusals_of_addresses_never_hold_the_lane() -> None:
    """A hundred in a row, to a hundred domains: 5.1.x and 5.2.x are what they say."""
    breaker = in_use()
    for number in range(100):
        assert carry(breaker, NO, 0.0, key(f"x@{number}.example")) == NO
    assert not breaker.is_shut


def test_after_one_suspicious_refusal_a_probe_goes_at_once_and_one_accepted_clears_it() -> None:
    """Also to the same domain, which may be the only one that there is; then the suspect's second is its own."""
    breaker, suspect = in_use(), key()
    carry(breaker, RELAYING, 0.0, suspect)
    assert breaker.is_shut
    probe = enter(breaker, 0.0, key("bob@Example.com"))
    assert breaker.enter(key("carol@example.com"), 0.0) is None
    assert breaker.judge(probe, OK, 0.1) == OK
    assert not breaker.is_shut
    assert carry(breaker, RELAYING, 120.0, suspect) == RELAYING


def test_after_two_suspicious_refusals_only_other_domains_test_at_once() -> None:
    """The rest wait for the probe's time; one accepted clears all."""
    breaker = in_use()
    suspects = [key(), key("bob@example.com")]
    for suspect in suspects:
        assert isinstance(carry(breaker, RELAYING, 0.0, suspect), RelayDown)
    assert breaker.opens_in(0.0) == SUSPICION.first
    assert breaker.enter(key("carol@example.com"), 0.1) is None
    assert carry(breaker, OK, 0.1, key("dave@elsewhere.example")) == OK
    assert not breaker.is_shut
    assert [carry(breaker, RELAYING, 120.0, suspect) for suspect in suspects] == [RELAYING, RELAYING]


def test_a_refused_address_says_nothing_of_a_suspicion_and_costs_no_wait() -> None:
    """The next letter goes at once, however many of them stand before a good one."""
    breaker = in_use()
    for name in ("a", "b"):
        carry(breaker, RELAYING, 0.0, key(f"{name}@example.com"))
    for number in range(14):
        assert carry(breaker, NO, SUSPICION.first, key(f"x{number}@example.com")) == NO
        assert breaker.is_shut
        assert breaker.opens_in(SUSPICION.first) == 0
    assert carry(breaker, OK, SUSPICION.first, key("good@example.com")) == OK
    assert not breaker.is_shut


def test_a_suspect_that_is_accepted_later_is_no_suspect_any_more() -> None:
    """The relay's policy was mended meanwhile."""
    breaker, suspect = in_use(), key()
    carry(breaker, RELAYING, 0.0, suspect)
    assert carry(breaker, OK, 30.0, suspect) == OK
    assert not breaker.is_shut


def test_ten_domains_test_a_suspicion_and_then_all_wait() -> None:
    """All refused: the lane is shut, each probe in its slot, until one is accepted; nothing fails meanwhile."""
    breaker = in_use()
    suspects = [key(f"x@{number}.example") for number in range(MOST_TESTED)]
    for number, suspect in enumerate(suspects):
        assert isinstance(carry(breaker, RELAYING, 0.1 * number, suspect), RelayDown)
    assert breaker.enter(key("x@new.example"), 1.0) is None
    now = 1.0
    for number in range(10):
        now += breaker.opens_in(now)
        assert isinstance(carry(breaker, RELAYING, now, key(f"y@{number}.example")), RelayDown)
        assert SUSPICION.first < breaker.opens_in(now) <= SUSPICION.most + 0.001
    now += breaker.opens_in(now)
    assert carry(breaker, OK, now, key()) == OK
    assert not breaker.is_shut
    for suspect in suspects:
        assert carry(breaker, RELAYING, now + 1, suspect) == RELAYING
    assert not breaker.is_shut


@pytest.mark.parametrize("stage", [Stage.RCPT, Stage.DATA, Stage.BODY])
def test_a_domain_that_breaks_the_lane_keeps_no_other_waiting(stage: Stage) -> None:
    """A 421 to one domain's recipients, or a cut under their letters, says nothing of the others."""
    breaker = in_use()
    for number in range(20):
        now = 200.0 * number
        assert isinstance(carry(breaker, RelayDown(stage, "421", "wait", lasting=False), now), RelayDown)
        assert breaker.enter(key(), now) is None
        assert carry(breaker, OK, now, key("x@elsewhere.example")) == OK
        assert not breaker.is_shut


def test_a_relay_that_is_dead_is_not_tested_by_other_domains() -> None:
    """Where the connection fails, it fails for all."""
    breaker = in_use()
    carry(breaker, DOWN, 0.0)
    assert breaker.enter(key("x@elsewhere.example"), 1.0) is None


# The first letters, and a relay's limit


def test_a_new_lane_is_tried_by_one_mail_and_by_another_each_second() -> None:
    """A wrong password is not tried four times at once; a first letter that hangs keeps the others for a second."""
    breaker = Breaker()
    enter(breaker, 0.0)
    assert breaker.enter(key(), 0.5) is None
    assert breaker.opens_in(0.5) == STAGGER - 0.5
    enter(breaker, STAGGER)
    assert breaker.enter(key(), STAGGER) is None


@pytest.mark.parametrize("verdict", [OK, NO, LATER, CUT])
def test_the_first_mail_that_comes_through_lets_all_others_go(verdict: Verdict) -> None:
    """Whatever became of it: the way is there."""
    breaker = Breaker()
    carry(breaker, verdict, 0.0)
    assert [enter(breaker, 0.0).probe for _ in range(4)] == [False] * 4


def test_a_first_mail_at_its_dot_lets_all_others_go() -> None:
    """A slow answer to it keeps nobody waiting."""
    breaker = Breaker()
    breaker.reached_dot(enter(breaker, 0.0), 0.1)
    assert [enter(breaker, 0.1).probe for _ in range(3)] == [False] * 3


def test_a_probe_at_its_dot_leaves_its_place_to_the_next_slot() -> None:
    """It may hang there for ten minutes; the relay may be back long before."""
    breaker = in_use()
    carry(breaker, DOWN, 0.0)
    hanging = enter(breaker, 5.0)
    breaker.reached_dot(hanging, 6.0)
    assert breaker.enter(key(), 6.0) is None
    assert carry(breaker, OK, 6.0 + WEATHER.first) == OK
    assert not breaker.is_shut
    assert breaker.judge(hanging, CUT, 600.0) == CUT
    assert not breaker.is_shut


def test_a_connection_turned_away_while_others_stand_is_a_limit() -> None:
    """The lane stays open, for fewer letters at a time, and for a while."""
    breaker = Breaker()
    carry(breaker, OK, 0.0)
    mails = [enter(breaker, 1.0) for _ in range(4)]
    assert breaker.room(1.0) == 0
    breaker.judge(mails[3], RelayDown(Stage.BANNER, "421 too many", "wait", lasting=False), 1.0)
    assert not breaker.is_shut
    assert breaker.room(1.0) == 0
    breaker.judge(mails[2], OK, 2.0)
    assert breaker.room(2.0) == 1
    assert breaker.room(1.0 + LIMIT_LASTS) == 2


def test_a_connection_turned_away_alone_shuts_the_lane() -> None:
    """There is nobody else whom the relay serves."""
    breaker = Breaker()
    carry(breaker, OK, 0.0)
    carry(breaker, RelayDown(Stage.BANNER, "421 too many", "wait", lasting=False), 1.0)
    assert breaker.is_shut


# Blame, further


def test_tests_of_a_suspicion_go_one_by_one() -> None:
    """While one is under way the others wait."""
    breaker = in_use()
    carry(breaker, RELAYING, 0.0)
    test = enter(breaker, 0.0, key("x@one.example"))
    assert breaker.enter(key("x@two.example"), 0.0) is None
    breaker.judge(test, LATER, 1.0)
    assert enter(breaker, 1.0, key("x@two.example")).probe


def test_a_test_that_is_refused_as_itself_or_deferred_clears_nothing() -> None:
    """Neither says that we may send: the suspicion stays until one is accepted."""
    for verdict in (NO, LATER):
        breaker = in_use()
        carry(breaker, RELAYING, 0.0)
        assert carry(breaker, verdict, 1.0, key("x@elsewhere.example")) == verdict
        assert breaker.is_shut


def test_three_refusals_in_a_row_that_say_nothing_to_two_domains_are_suspicious() -> None:
    """The third is held; with one accepted between them they are each their own."""
    says_nothing = refused("rejected")
    people = ["a@one.example", "b@one.example", "c@two.example"]
    breaker = in_use()
    found = [carry(breaker, says_nothing, 0.0, key(person)) for person in people]
    assert found[:2] == [says_nothing, says_nothing]
    assert isinstance(found[2], RelayDown)
    calm = in_use()
    for person in people * 3:
        assert carry(calm, says_nothing, 0.0, key(person)) == says_nothing
        assert carry(calm, OK, 0.0) == OK


def test_refusals_of_one_domain_that_say_nothing_are_its_own() -> None:
    """That domain may be closed to us; others are not."""
    breaker, says_nothing = in_use(), refused("rejected")
    for number in range(20):
        assert carry(breaker, says_nothing, 0.0, key(f"{number}@Example.com")) == says_nothing
        assert carry(breaker, says_nothing, 0.0, key(f"{number}@example.COM")) == says_nothing


# Cut at the dot


def test_two_mails_cut_at_the_dot_in_a_row_are_the_relays_fault() -> None:
    """One is an accident, as often as it is cut; two different ones shut the lane."""
    breaker, same = in_use(), key()
    for _ in range(3):
        assert carry(breaker, CUT, 0.0, same) == CUT
        assert not breaker.is_shut
    assert carry(breaker, CUT, 0.0, key()) == CUT
    assert breaker.opens_in(0.0) == WEATHER.first


def test_one_accepted_between_two_cuts_makes_them_accidents() -> None:
    """They were not in a row."""
    breaker = in_use()
    for _ in range(5):
        carry(breaker, CUT, 0.0)
        carry(breaker, OK, 0.0)
    assert not breaker.is_shut


def test_a_probe_that_is_cut_at_its_dot_does_not_open_the_lane() -> None:
    """Nobody knows whether it arrived; the next probe waits longer."""
    breaker = in_use()
    carry(breaker, DOWN, 0.0)
    carry(breaker, CUT, 5.0)
    assert breaker.opens_in(5.0) == 10.0


# Whatever comes

WORDS = st.sampled_from([OK, NO, LATER, CUT, DOWN, BAD_LOGIN, RELAYING, refused("rejected")])


@given(st.lists(st.tuples(WORDS, st.integers(0, 5), st.floats(0, 40)), max_size=60))
def test_a_lane_never_stays_shut_for_good(story: list[tuple[Verdict, int, float]]) -> None:
    """After any story: at most one probe at a time, a wait of at most 15 minutes, and one accepted letter opens it."""
    breaker, now = in_use(), 0.0
    for verdict, person, later in story:
        now += later
        permit = breaker.enter(key(f"{person}@{person % 2}.example"), now)
        if permit is None:
            continue
        assert permit.probe is breaker.is_shut
        judged = breaker.judge(permit, verdict, now)
        assert type(judged) in {type(verdict), RelayDown}
        assert isinstance(judged, RelayDown | Uncertain | Accepted) or judged == verdict
        assert 0.0 <= breaker.opens_in(now) <= LOGIN.most + 0.001
    now += breaker.opens_in(now)
    carry(breaker, OK, now)
    assert not breaker.is_shut
