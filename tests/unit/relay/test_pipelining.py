"""Whether commands go together: what a break means before and after groups have come through."""

import pytest
from structlog.testing import capture_logs

from mail_sender.relay.pipelining import Pipelining, names_pipelining
from mail_sender.verdict import Reply


def broke(pipelining: Pipelining, opened_at: float, now: float, *, is_said: bool = False) -> bool:
    """Let a group break; return whether groups may be why."""
    return pipelining.broke(opened_at, now, is_said=is_said)


def in_use() -> Pipelining:
    """Return what is known of a relay through which a group has come."""
    pipelining = Pipelining()
    pipelining.came_through(grouped=True)
    return pipelining


def test_the_first_group_that_breaks_is_suspected_at_once() -> None:
    """Nobody knows yet that the relay can do it."""
    pipelining = Pipelining()
    assert broke(pipelining, 0.0, 1.0)
    assert not pipelining.is_used


def test_a_relay_that_is_restarted_does_not_lose_its_groups() -> None:
    """All connections that were open then break; the one opened after that comes through."""
    pipelining = in_use()
    assert [broke(pipelining, 0.0, 10.0 + number) for number in range(16)] == [False] * 16
    pipelining.came_through(grouped=True)
    assert not broke(pipelining, 30.0, 31.0)
    assert pipelining.is_used


def test_a_proxy_that_is_put_before_a_relay_is_noticed_by_the_second_connection() -> None:
    """The first break may have been an accident."""
    pipelining = in_use()
    assert not broke(pipelining, 0.0, 10.0)
    assert broke(pipelining, 11.0, 12.0)
    assert not pipelining.is_used


def test_a_relay_that_says_why_is_believed() -> None:
    """Whatever came through before."""
    pipelining = in_use()
    assert broke(pipelining, 0.0, 1.0, is_said=True)
    assert not pipelining.is_used


def test_what_breaks_as_well_without_groups_clears_them() -> None:
    """The relay is broken, not its PIPELINING."""
    pipelining = Pipelining()
    broke(pipelining, 0.0, 1.0)
    pipelining.broke_alone()
    assert pipelining.is_used


def test_what_comes_through_without_groups_is_said_once_and_stays() -> None:
    """A later break of a single command changes nothing."""
    pipelining = Pipelining()
    broke(pipelining, 0.0, 1.0)
    with capture_logs() as logged:
        for _ in range(3):
            pipelining.came_through(grouped=False)
    assert [line["event"] for line in logged] == ["relay_pipelining"]
    pipelining.broke_alone()
    assert not pipelining.is_used


def test_a_relay_that_was_never_suspected_is_not_written_about() -> None:
    """Commands go one at a time where the configuration wants it."""
    with capture_logs() as logged:
        Pipelining().came_through(grouped=False)
    assert logged == []


@pytest.mark.parametrize(
    ("reply", "names"),
    [
        (Reply(503, "5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining"), True),
        (Reply(554, "SMTP synchronization error"), True),
        (Reply(250, "PIPELINING"), False),
        (Reply(550, "5.1.1 nobody"), False),
    ],
)
def test_words_that_name_groups(reply: Reply, *, names: bool) -> None:
    """Postfix's reject_unauth_pipelining, Exim's smtp_enforce_sync."""
    assert names_pipelining(reply) is names
