"""Company: a change waits where others are expected that its commit can take, and never for nobody."""

from mail_sender.ledger.company import DOT_WAITS, OUTCOME_WAITS, Company

SOON = OUTCOME_WAITS / 2
LATER = OUTCOME_WAITS * 2


def in_a_row(company: Company, dots: int, between: float) -> float:
    """Have so many mails come to their dots; return how long the last of these waits, while one more is in flight."""
    company.begun(0)
    waits = 0.0
    for claim in range(1, dots + 1):
        company.begun(claim)
        waits = company.dot(claim, claim * between)
    return waits


def test_a_dot_waits_where_the_next_one_is_likely_to_come_meanwhile() -> None:
    """Not the first ones: nobody knows yet how they follow each other."""
    assert in_a_row(Company(), 2, DOT_WAITS) == 0.0
    assert in_a_row(Company(), 40, DOT_WAITS) == DOT_WAITS


def test_a_dot_waits_where_several_come_together_with_pauses_between() -> None:
    """What counts is how many come in a time, and not how long ago the last one was."""
    company = Company()
    company.begun(0)
    waits = []
    for claim in range(1, 81):
        company.begun(claim)
        waits.append(company.dot(claim, (claim - 1) // 4 * 4 * DOT_WAITS))
    assert waits[-4:] == [DOT_WAITS] * 4


def test_the_last_dot_of_those_in_flight_waits_for_nobody() -> None:
    """Its companions have had theirs, or ended without one."""
    company = Company()
    assert in_a_row(company, 40, DOT_WAITS) == DOT_WAITS
    company.outcome(0, 41 * DOT_WAITS)
    company.begun(41)
    assert company.dot(41, 41 * DOT_WAITS) == 0.0


def test_a_dot_waits_for_nobody_while_the_relay_is_slow_or_far_away() -> None:
    """Others may have theirs before them for long."""
    assert in_a_row(Company(), 40, 2.5 * DOT_WAITS) == 0.0
    assert in_a_row(Company(), 40, LATER) == 0.0


def test_a_single_mail_waits_for_nothing() -> None:
    """However many went before it, each by itself."""
    company, at = Company(), 0.0
    for claim in range(5):
        company.begun(claim)
        assert company.dot(claim, at) == 0.0
        assert company.outcome(claim, at + SOON) == 0.0
        at += SOON + LATER


def test_an_outcome_waits_if_a_dot_followed_the_last_one_soon() -> None:
    """One after the other on one connection, until there is a pause."""
    company = Company()
    waits = []
    for claim, dot_at in enumerate((0.0, SOON, 2 * SOON, 2 * SOON + LATER)):
        company.begun(claim)
        company.dot(claim, dot_at)
        waits.append(company.outcome(claim, dot_at))
    assert waits == [0.0, OUTCOME_WAITS, OUTCOME_WAITS, 0.0]
