"""What limits say of one mail at a time, from what went lately; and the recent mails that they count."""

from datetime import datetime, timedelta

import pytest

from mail_sender.backoff import IN_TIME
from mail_sender.ledger.base import Delivery
from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import DAY, HOUR, MINUTE, Allowance, Hold, Limit, Limits, Usage
from mail_sender.sender.limits import longest_bearable as longest
from mail_sender.sender.plan import PutOff, Refuse, Rules, Send, plan
from mail_sender.sender.recent_mails import RecentMails
from mail_sender.sender.warm_up import WarmUp
from tests.support.samples import ELLIE, NOW, SECOND, A, B, C, delivery, message

NOBODY: frozenset[str] = frozenset()


def ago(*seconds: float) -> list[datetime]:
    """Return times in the past, oldest first."""
    return [NOW - timedelta(seconds=each) for each in seconds]


@pytest.mark.parametrize(
    ("lately", "in_flight", "until"),
    [
        (ago(), 0, None),
        (ago(59, 58), 0, None),
        (ago(59, 58, 1), 0, 1),
        (ago(90, 60, 1, 1), 0, None),
        (ago(50, 40, 30, 20, 10), 0, 30),  # more than are allowed went: three of five must be a minute old
        (ago(59), 2, 1),
        (ago(59, 58), 2, 2),
        (ago(), 3, 60),
        (ago(), 9, 60),
        (ago(-5, -6, -7), 0, None),  # a clock that ran ahead wrote these
    ],
)
def test_a_minute_is_full_until_enough_of_its_mails_are_a_minute_old(
    lately: list[datetime], in_flight: int, until: int | None
) -> None:
    """Mails in flight count as if they went now."""
    reached = Allowance(Limits(per_minute=3), Usage(in_flight, lately)).reached(NOW)
    expected = [] if until is None else [Hold(Limit.PER_MINUTE, 3, NOW + until * SECOND)]
    assert reached == expected


def test_a_recipients_hour_is_its_own() -> None:
    """Another mailbox has another one, and no mail in flight counts: there is only one to an address."""
    usage = Usage(in_flight=4, by_mailbox={A: ago(3599, 10), B: ago(3601, 10)})
    allowance = Allowance(Limits(per_recipient_per_hour=2), usage)
    assert allowance.reached(NOW) == []
    assert allowance.reached_by(A, NOW) == Hold(Limit.PER_RECIPIENT, 2, NOW + SECOND)
    assert allowance.reached_by(B, NOW) is None
    assert allowance.reached_by(C, NOW) is None


def test_a_warm_up_grows_each_day_and_ends() -> None:
    """50, 75, 112, 168 mails, and after the last day any number; before the first day, as on it."""
    warm_up = WarmUp(start=50, factor=1.5, days=14)
    assert [warm_up.most(day) for day in (1, 2, 3, 4, 14, 15)] == [50, 75, 112, 168, 9730, None]
    for days, most in ((-3, 50), (0, 50), (1, 75), (13, 9730)):
        usage = Usage(in_flight=1, today=most - 1, first_day=(NOW - days * DAY).date())
        (hold,) = Allowance(Limits(warm_up=warm_up), usage).reached(NOW)
        assert hold == Hold(Limit.WARM_UP, most, NOW + 12 * HOUR)
    usage = Usage(today=99_999, first_day=(NOW - 14 * DAY).date())
    assert Allowance(Limits(warm_up=warm_up), usage).reached(NOW) == []


def test_a_mail_waits_for_the_longest_limit_that_it_can_wait_for() -> None:
    """And for none that would let it go later than some minutes before its deadline."""
    short, long = Hold(Limit.PER_MINUTE, 1, NOW + MINUTE), Hold(Limit.WARM_UP, 1, NOW + HOUR)
    assert longest([short, long], NOW + HOUR + IN_TIME) is long
    assert longest([short, long], NOW + HOUR + IN_TIME - SECOND) is short
    assert longest([short, long], NOW + MINUTE + IN_TIME - SECOND) is None
    assert longest([], NOW + HOUR) is None


def test_a_plan_lets_as_many_go_as_the_limits_and_puts_off_what_one_recipient_has_too_much_of() -> None:
    """What is held back by a limit on all mail stays where it is; what cannot wait goes over."""
    one, other, mine, late = (delivery(message(to)) for to in (B, C, A, "d@example.com"))
    late = delivery(message("d@example.com"), deadline=NOW + MINUTE)
    usage = Usage(lately=ago(30), by_mailbox={A: ago(10)})
    rules = Rules(Allowance(Limits(per_minute=2, per_recipient_per_hour=1), usage))
    of_recipient = Hold(Limit.PER_RECIPIENT, 1, NOW + HOUR - 10 * SECOND)
    of_minute = Hold(Limit.PER_MINUTE, 2, NOW + 30 * SECOND)
    steps = plan([mine, one, other, late], NOBODY, 4, NOW, rules)
    assert steps == [PutOff(mine, of_recipient), Send(one), Send(late, (of_minute,))]


def test_a_plan_refuses_what_goes_to_a_disposable_domain_for_the_first_time() -> None:
    """Whatever the capacity; not what was tried, or what an operator queued again, nor where only a warning is wanted."""

    def to(domain: str, claim: int = 0) -> Delivery:
        return delivery(message(f"x@{domain}"), claim=claim)

    refusing = Rules(disposable=Disposable(frozenset({"bad.example", "xn--strae-oqa.example"}), refuses=True))
    bad, below, idn, tried = (
        to("BAD.example"),
        to("a.b.bad.example"),
        to("xn--strae-oqa.example"),
        to("bad.example", claim=1),
    )
    fine = [to("notbad.example"), to("example"), to("bad.example.com")]
    steps = plan([bad, below, idn, tried, *fine], NOBODY, 0, NOW, refusing)
    assert steps == [Refuse(bad, "bad.example"), Refuse(below, "bad.example"), Refuse(idn, "xn--strae-oqa.example")]
    warning = Rules(disposable=Disposable(frozenset({"bad.example"})))
    assert plan([bad], NOBODY, 4, NOW, warning) == [Send(bad)]


def test_recent_mails_are_kept_for_an_hour_and_a_day() -> None:
    """By mailbox and by day, from the ledger and from then on; a mail in flight counts once."""
    recent = RecentMails()
    recent.went(delivery(message(ELLIE)), NOW)  # nobody counts yet
    recent.fill([("Ellie@Example.com", NOW - MINUTE), (ELLIE, NOW - 2 * HOUR), (B, NOW - 13 * HOUR)], NOW)
    assert (recent.of_day(NOW), list(recent.by_mailbox(NOW)), recent.lately(NOW)) == (2, [ELLIE], [])
    mine = delivery(message(ELLIE))
    recent.start(mine.key)
    assert recent.in_flight == 1
    recent.went(mine, NOW)
    recent.end(mine.key)
    assert (recent.in_flight, recent.of_day(NOW), recent.lately(NOW)) == (0, 3, [NOW])
    assert list(recent.by_mailbox(NOW)[ELLIE]) == [NOW - MINUTE, NOW]
    assert list(recent.by_mailbox(NOW + 59 * MINUTE)[ELLIE]) == [NOW]
    assert recent.by_mailbox(NOW + HOUR) == {}
    assert (recent.of_day(NOW + DAY), recent.of_day(NOW)) == (0, 3)
