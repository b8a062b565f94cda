"""Company: a change waits where others are expected that its commit can take, and never for nobody."""

from mail_sender.ledger.company import DOT_WAITS, OUTCOME_WAITS, Company

SOON = OUTCOME_WAITS / 2
LATER = OUTCOME_WAITS * 2


def test_a_dot_waits_while_other_mails_have_theirs_before_them() -> None:
    """The last one does not; nor does the first one, or one whose only companion has ended without a dot."""
    company = Company()
    for claim in (1, 2, 3, 4, 5):
        company.begun(claim)
    assert company.dot(5, 0.0) == 0.0
    assert company.dot(2, SOON) == DOT_WAITS
    assert company.dot(1, 2 * SOON) == DOT_WAITS
    company.outcome(4, 2 * SOON)
    assert company.dot(3, 2 * SOON) == 0.0


def test_a_dot_waits_for_nobody_while_the_relay_is_slow() -> None:
    """Others may have theirs before them for long."""
    company = Company()
    for claim in range(10):
        company.begun(claim)
    assert {company.dot(claim, claim * LATER) for claim in range(9)} == {0.0}


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
