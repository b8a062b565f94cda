"""The inbox: what the last good poll saw, and whether mail may go under this token."""

import pytest
from structlog.testing import capture_logs

from mail_sender.errors import Trouble
from mail_sender.inbox import OF_THE_TOKEN, Inbox
from mail_sender.message import Listing
from tests.support.memory_source import trouble
from tests.unit.samples import NOW, SECOND, message


def test_nothing_may_be_sent_before_the_first_good_poll() -> None:
    """Nobody knows yet whether the token is good."""
    inbox = Inbox()
    assert (inbox.may_send, inbox.at, inbox.messages) == (False, None, {})


def test_a_good_poll_replaces_what_the_last_one_saw() -> None:
    """By id, with when it was; from now on mail may go."""
    first, second = message(), message()
    inbox = Inbox()
    inbox.fill(Listing((first,), ()), NOW)
    seen = inbox.messages
    inbox.fill(Listing((second,), ()), NOW + SECOND)
    assert (inbox.messages, inbox.at, inbox.may_send) == ({second.id: second}, NOW + SECOND, True)
    assert seen == {first.id: first}


@pytest.mark.parametrize("kind", Trouble)
def test_only_the_tokens_trouble_stops_the_mail(kind: Trouble) -> None:
    """A server that is away does not; what it showed stays good. The next good poll lets mail go on."""
    of = message()
    inbox = Inbox()
    inbox.fill(Listing((of,), ()), NOW)
    with capture_logs() as events:
        for _ in range(3):
            inbox.note(trouble(kind), NOW)
        assert inbox.may_send is (kind not in OF_THE_TOKEN)
        assert inbox.messages == {of.id: of}
        inbox.fill(Listing((of,), ()), NOW + SECOND)
    assert inbox.may_send
    assert [event["event"] for event in events] == ["server_down", "server_up"]
