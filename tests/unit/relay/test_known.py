"""What connections have found out about a relay, for those that follow."""

from mail_sender.relay.known import KnownRelay
from mail_sender.relay.relay_url import Security


def known() -> KnownRelay:
    """Return a relay of which nothing is known."""
    return KnownRelay(Security.IMPLICIT, lambda _: None)


def test_a_relay_that_is_restarted_has_no_limit_of_mails_on_a_connection() -> None:
    """All its connections break, and many of them have carried as many mails."""
    relay = known()
    for at in range(16):
        relay.connection_used_up(25, opened_at=0.0, at=100.0 + at, is_said=False)
    assert relay.mails_per_connection is None


def test_the_same_number_on_a_later_connection_is_a_limit() -> None:
    """It cannot be the same accident."""
    relay = known()
    relay.connection_used_up(25, opened_at=0.0, at=100.0, is_said=False)
    relay.connection_used_up(25, opened_at=101.0, at=200.0, is_said=False)
    assert relay.mails_per_connection == 25


def test_a_limit_that_is_said_is_believed_at_once() -> None:
    """The relay names the session."""
    relay = known()
    relay.connection_used_up(2, opened_at=0.0, at=1.0, is_said=True)
    assert relay.mails_per_connection == 2
