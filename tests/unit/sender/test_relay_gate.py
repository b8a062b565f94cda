"""The relay gate as a whole: whatever becomes of mails, it recovers."""

from hypothesis import given
from hypothesis import strategies as st

from mail_sender.backoff import LOGIN
from mail_sender.verdict import Accepted, RelayDown, Uncertain, Verdict
from tests.support.relay_gates import BAD_LOGIN, RELAYING, in_use, key, refused, send, wait
from tests.support.samples import CUT, DOWN, LATER, NO, OK

WORDS = st.sampled_from([OK, NO, LATER, CUT, DOWN, BAD_LOGIN, RELAYING, refused("rejected")])


@given(st.lists(st.tuples(WORDS, st.integers(0, 5), st.floats(0, 40)), max_size=60))
def test_a_breaker_never_stays_open_for_good(story: list[tuple[Verdict, int, float]]) -> None:
    """After any story: at most one probe at a time, a wait of at most 15 minutes, and one accepted mail closes it."""
    relay_gate, now = in_use(), 0.0
    for verdict, person, later in story:
        now += later
        permit = relay_gate.acquire(key(f"{person}@{person % 2}.example"), now)
        if permit is None:
            continue
        assert permit.is_probe is not relay_gate.is_closed
        judged = relay_gate.judge(permit, verdict, now)
        assert type(judged) in {type(verdict), RelayDown}
        assert isinstance(judged, RelayDown | Uncertain | Accepted) or judged == verdict
        assert 0.0 <= wait(relay_gate, now) <= LOGIN.most + 0.001
    now += wait(relay_gate, now) + 0.001  # sums of floats may end just before it
    send(relay_gate, OK, now)
    assert relay_gate.is_closed


def test_those_who_watch_see_the_breaker_and_for_how_long() -> None:
    """Closed for good, then open until the probe's time, half-open while it is in flight, closed again since then."""
    relay_gate = in_use()
    first = relay_gate.view(0.0)
    assert (first.breaker, first.breaker_for, first.probe_in) == ("closed", None, None)
    send(relay_gate, DOWN, 1.0)
    opened = relay_gate.view(2.0)
    assert (opened.breaker, opened.breaker_for, opened.in_flight) == ("open", 1.0, 0)
    assert opened.probe_in == wait(relay_gate, 2.0) > 0
    at = 2.0 + opened.probe_in
    permit = relay_gate.acquire(key(), at)
    assert permit is not None
    probing = relay_gate.view(at)
    assert (probing.breaker, probing.probe_in, probing.in_flight) == ("half-open", None, 1)
    assert probing.breaker_for == at - 1.0
    relay_gate.judge(permit, OK, at + 1)
    closed = relay_gate.view(at + 3)
    assert (closed.breaker, closed.breaker_for, closed.probe_in, closed.in_flight) == ("closed", 2.0, None, 0)
    assert (closed.most_in_flight, closed.between) == relay_gate.pace(at + 3)
