"""The snapshot: what the last good poll saw, and whether mail may go under this token."""

from datetime import datetime

import pytest
from structlog.testing import capture_logs

from mail_sender.errors import ServerFaultKind
from mail_sender.message import Listing, Message
from mail_sender.sender import snapshot as snapshot_module
from mail_sender.sender.snapshot import Snapshot
from tests.support.memory_source import fault
from tests.support.samples import NOW, SECOND, message


def fill(snapshot: Snapshot, now: datetime, *listed: Message) -> None:
    """Have a good poll see these messages."""
    snapshot.fill(Listing(listed, ()), {of.id: of for of in listed}, now)


def test_nothing_may_be_sent_before_the_first_good_poll() -> None:
    """Nobody knows yet whether the token is good."""
    snapshot = Snapshot()
    assert (snapshot.may_send, snapshot.at, snapshot.messages) == (False, None, {})


def test_a_good_poll_replaces_what_the_last_one_saw() -> None:
    """By id, with when it was; from now on mail may go."""
    first, second = message(), message()
    snapshot = Snapshot()
    fill(snapshot, NOW, first)
    seen = snapshot.messages
    fill(snapshot, NOW + SECOND, second)
    assert (snapshot.messages, snapshot.at, snapshot.may_send) == ({second.id: second}, NOW + SECOND, True)
    assert seen == {first.id: first}


def test_a_message_is_gone_or_there_as_the_next_good_poll_says() -> None:
    """The one before does not count; a server that is asked in between, and does not give it, proves nothing."""
    lacked, listed, never_asked = message(), message(), message()
    snapshot = Snapshot()
    fill(snapshot, NOW, lacked, listed)
    for of in (lacked, listed):
        snapshot.doubt(of.id, is_gone=True)
        assert (snapshot.may_be_gone(of.id), snapshot.is_gone(of.id), snapshot.is_there(of.id)) == (
            True,
            False,
            False,
        )
    fill(snapshot, NOW, listed)
    found = [(snapshot.is_gone(of.id), snapshot.is_there(of.id)) for of in (lacked, listed, never_asked)]
    assert found == [(True, False), (False, True), (False, False)]
    for of in (lacked, listed):
        snapshot.settle_doubt(of.id)
        snapshot.doubt(of.id, is_gone=False)
        fill(snapshot, NOW, listed)
    found = [(snapshot.is_gone(of.id), snapshot.is_there(of.id)) for of in (lacked, listed)]
    assert found == [(False, False), (False, True)]


def test_the_doubts_that_are_remembered_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten: that message waits for one more poll."""
    monkeypatch.setattr(snapshot_module, "MOST_DOUBTED", 2)
    snapshot, messages = Snapshot(), [message() for _ in range(3)]
    for of in messages:
        snapshot.doubt(of.id, is_gone=True)
    assert [snapshot.may_be_gone(of.id) for of in messages] == [False, True, True]


@pytest.mark.parametrize("kind", ServerFaultKind)
def test_only_a_fault_of_the_token_stops_the_mail(kind: ServerFaultKind) -> None:
    """A server that is away does not; what it showed stays good. The next good poll lets mail go on."""
    of = message()
    snapshot = Snapshot()
    fill(snapshot, NOW, of)
    with capture_logs() as events:
        for _ in range(3):
            snapshot.note(fault(kind), NOW)
        assert snapshot.may_send is (not kind.is_of_the_token)
        assert snapshot.messages == {of.id: of}
        fill(snapshot, NOW + SECOND, of)
    assert snapshot.may_send
    assert [event["event"] for event in events] == ["server_down", "server_up"]


def test_who_follows_another_ones_polls_knows_nothing_of_what_is_gone() -> None:
    """Neither what was doubted while it polled counts, nor that its list holds nothing any more."""
    snapshot = Snapshot()
    of = message()
    snapshot.fill(Listing((of,), ()), {of.id: of}, NOW)
    snapshot.doubt(of.id, is_gone=True)
    snapshot.fill(Listing((of,), ()), {of.id: of}, NOW)
    snapshot.follows = True
    snapshot.follow(NOW)
    assert not snapshot.is_gone(of.id)
    assert not snapshot.may_be_gone(of.id)
    assert snapshot.has_nothing_of_its_own


def test_news_of_another_ones_list_are_as_good_as_a_list() -> None:
    """For what is read ahead; not before the server was read, nor for who has lists of its own."""
    snapshot = Snapshot(follows=True)
    snapshot.hear(NOW)
    assert snapshot.at is None
    snapshot.follow(NOW)
    snapshot.hear(NOW + SECOND)
    assert snapshot.at == NOW + SECOND
    snapshot.fill(Listing((), ()), {}, NOW + 2 * SECOND)
    snapshot.hear(NOW + 3 * SECOND)
    assert snapshot.at == NOW + 2 * SECOND


def test_a_fault_of_the_network_stops_who_has_no_list_of_its_own() -> None:
    """It could read nothing; who has one goes on with what it holds."""
    snapshot = Snapshot()
    snapshot.fill(Listing((of := message(),), ()), {of.id: of}, NOW)
    snapshot.follows = True
    snapshot.note(fault(ServerFaultKind.UNREACHABLE), NOW)
    assert snapshot.may_send
    snapshot.follow(NOW)
    snapshot.note(fault(ServerFaultKind.UNREACHABLE), NOW)
    assert not snapshot.may_send
