"""A real Postfix takes many messages while it is stopped and started again and again.

It is stopped each time after so many more mails, in the midst of its conversations. What it hands over is the truth:
a mail has the queue id that Postfix gave it, and the Message-ID that the sender gave it. Its log is not: the process
that writes it ends at the stop too, before others have said what they took.
"""

import re
import time
from collections import Counter
from collections.abc import Iterator, Sequence

import pytest

from tests.support.postfix import Postfix, through
from tests.support.sender import Sender, run
from tests.support.stub import Stub

pytestmark = pytest.mark.debian("postfix", "sasl2-bin", "libsasl2-modules", root=True)

LONGEST = 200.0
"""Seconds for all of it: each stop opens the breaker for a few, and what was cut at the dot would wait two minutes."""
_TAKEN = re.compile(rb"^Received:.*?\bid (\w+).*?^Message-ID: <([0-9a-f-]{36})@", re.DOTALL | re.MULTILINE)
_LOG_ID = re.compile(r" message_id=([0-9a-f-]{36})")
_LOG_QUEUE_ID = re.compile(r" queue_id=(\w+)")


def taken(mails: Sequence[bytes]) -> dict[str, str]:
    """Return Postfix's queue id of each mail, and the message that it carries: the id that its Message-ID holds."""
    found = [_TAKEN.match(mail) for mail in mails]
    return {match[1].decode(): match[2].decode() for match in found if match}


def queue(stub: Stub, count: int) -> list[str]:
    """Queue the messages, each for somebody else."""
    return stub.queue(
        [
            {
                "message_template": {"TestMessageV1": {"display_name": f"person {number}"}},
                "mail_destination": [{"primary": True, "value": f"person-{number}@example.com"}],
            }
            for number in range(count)
        ]
    )


def ids(lines: Sequence[str]) -> Iterator[str]:
    """Yield the messages that lines of the log are about."""
    for line in lines:
        yield from _LOG_ID.findall(line)


@pytest.mark.timeout(280)
@pytest.mark.parametrize(("messages", "stops"), [(300, 3), pytest.param(1_000, 10, marks=pytest.mark.soak)])
def test_a_postfix_that_is_stopped_again_and_again_loses_nothing_and_doubles_only_what_was_cut_at_the_dot(
    fresh_postfix: Postfix, stub: Stub, messages: int, stops: int
) -> None:
    """Every message is in Postfix's queue under the id that our log says, and twice only where a dot was cut."""
    postfix = fresh_postfix
    through(postfix, stub, "smtps")
    queued = queue(stub, messages)
    deadline = time.monotonic() + LONGEST
    with Sender(stub.client_config, stub.sender_config) as sender:
        for stop in range(1, stops + 1):
            sender.wait_for("sent", stop * messages // (stops + 2), deadline - time.monotonic())
            postfix.stop()
            postfix.start()
        flushed = run("-c", stub.client_config, "-m", stub.sender_config, "queue", "flush")
        assert flushed.returncode in {0, 75}, flushed.stderr
        sender.wait_for("marked", messages, deadline - time.monotonic())
        sent, uncertain = sender.events("sent"), sender.events("uncertain")
        assert sender.stop() == 0
    postfix.handed_over(deadline - time.monotonic())
    entries = taken(postfix.delivered())
    copies = Counter(entries.values())
    lost = sorted(set(queued) - set(copies))
    assert not lost
    assert sorted(ids(sent)) == sorted(queued)
    unknown = [line for line in sent if entries.get(_LOG_QUEUE_ID.findall(line)[0]) != _LOG_ID.findall(line)[0]]
    assert not unknown, "sent, by our log, under an id that Postfix does not have for this message"
    twice = {message for message, count in copies.items() if count > 1}
    assert not twice - set(ids(uncertain)), "copies that no cut at the dot excuses"
    assert max(copies.values()) <= 2
    assert len(sender.events("relay_down")) >= 1
