"""The activity is what happened last."""

from mail_sender.observe.activity import Activity
from mail_sender.sender.observation import Followed, NextPoll, Polled, PollFailed, Rendered
from tests.support.samples import NOW, SECOND


def test_a_poll_that_fails_leaves_what_the_last_good_one_saw() -> None:
    """When the last one was, when the last good one, and when the next one comes."""
    activity = Activity(NOW)
    for seen in (
        Polled(NOW, 0.1, 3, 1),
        NextPoll(NOW + SECOND),
        Rendered("any", 0.1),
        PollFailed(NOW + SECOND, 1, "down"),
    ):
        activity.observe(seen)
    assert (activity.last_poll_at, activity.last_good_poll_at) == (NOW + SECOND, NOW)
    assert (activity.poll_was_good, activity.ready, activity.malformed) == (False, 3, 1)
    assert activity.next_poll_at == NOW + SECOND


def test_who_follows_another_ones_polls_is_as_good_as_its_last_look() -> None:
    """No poll of its own is due, and what its last list had counts no more."""
    activity = Activity(NOW)
    for seen in (Polled(NOW, 0.1, 3, 1), NextPoll(NOW + SECOND), Followed(NOW + SECOND, 0.1)):
        activity.observe(seen)
    assert (activity.last_good_poll_at, activity.poll_was_good, activity.next_poll_at) == (NOW + SECOND, True, None)
    assert (activity.ready, activity.malformed) == (0, 0)
    activity.observe(PollFailed(NOW + 2 * SECOND, 1, "down"))
    assert activity.poll_was_good is False
