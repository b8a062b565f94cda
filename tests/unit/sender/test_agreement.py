"""What one sender logs of others that are not like it."""

from dataclasses import replace
from uuid import UUID

from structlog.testing import capture_logs

from mail_sender.ledger.replicas import Replica, Said
from mail_sender.sender.agreement import Agreement
from tests.support.samples import NOW

FIRST = Replica(UUID(int=1), "idm-a", 7, "1.0.0", NOW, NOW, Said("same"), polls=True)
SECOND = replace(FIRST, id=UUID(int=2), host="idm-b", polls=False)


def test_what_differs_is_logged_once_until_it_does_so_no_more() -> None:
    """An update of one after the other is one warning for each step, and ends with a word."""
    agreement = Agreement()
    other_version, other_look = replace(SECOND, version="1.1.0"), replace(SECOND, said=Said("another"))
    steps = [[FIRST], [FIRST, SECOND], [FIRST, other_version], [FIRST, other_version], [FIRST, other_look], [FIRST]]
    with capture_logs() as events:
        counts = []
        for living in steps:
            agreement.compare(living)
            counts.append(len(events))
    assert counts == [0, 0, 1, 1, 3, 4]
    said = [(event["event"], event["kind"], event["log_level"]) for event in events]
    assert said == [
        ("senders_differ", "versions", "warning"),
        ("senders_differ", "configurations", "warning"),
        ("senders_agree", "versions", "info"),
        ("senders_agree", "configurations", "info"),
    ]
    assert "1.0.0 on idm-a; 1.1.0 on idm-b; nothing to do during an update" in events[0]["message"]
