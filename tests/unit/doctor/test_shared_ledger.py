"""What `doctor` makes of the senders that share a ledger, and of the server that it is in."""

from datetime import timedelta
from uuid import UUID

import pytest

from mail_sender.doctor import shared_ledger
from mail_sender.doctor.finding import Finding, Level
from mail_sender.ledger.postgres.survey import PER_SENDER, Survey
from mail_sender.ledger.replicas import Replica, Said
from tests.support.samples import HOUR, MINUTE, NOW, SECOND


def replica(number: int, version: str = "1.0", **said: bool) -> Replica:
    """Return a sender; the first one polls."""
    return Replica(
        UUID(int=number), f"idm-{number}", 7, version, NOW - HOUR, NOW, Said("same", **said), polls=number == 1
    )


def judged(findings: list[Finding]) -> list[tuple[Level, str]]:
    """Return how good each finding is, and its line."""
    assert all((one.advice is None) == (one.level is Level.OK) for one in findings)
    return [(one.level, one.seen) for one in findings]


def test_the_senders_are_named_with_their_versions() -> None:
    """Many of them in part; what makes one differ from the others, or keeps it from mailing, is a warning each."""
    assert judged([*shared_ledger.of_senders([])]) == [(Level.OK, "no sender runs on it now")]
    assert judged([*shared_ledger.of_senders([replica(1)])]) == [
        (Level.OK, "1 sender runs on it: idm-1 (1.0, polls)"),
    ]
    (_, seen), *rest = judged([*shared_ledger.of_senders([replica(number) for number in range(1, 15)])])
    assert (seen.endswith(", idm-12 (1.0) and 2 more"), rest) == (True, [])
    _, *rest = judged([*shared_ledger.of_senders([replica(1), replica(2, "1.1", carries=False)])])
    assert rest == [
        (Level.WARNING, "the senders are of different versions: 1.0 on idm-1; 1.1 on idm-2"),
        (Level.WARNING, "the sender on idm-2 cannot mail"),
    ]


SERVERS: dict[str, tuple[Survey, int, list[tuple[Level, str]]]] = {
    "well": (
        Survey(-SECOND, 97, has_news=True),
        3,
        [
            (Level.OK, "the database's clock agrees with this machine's"),
            (Level.OK, "senders hear of each other at once (LISTEN)"),
            (Level.OK, f"3 senders take at most {3 * PER_SENDER} connections of the 97 that the server gives"),
        ],
    ),
    "ill": (
        Survey(2 * MINUTE, 4, has_news=True),
        0,
        [
            (Level.WARNING, "the database's clock is 120 s ahead of this machine's"),
            (Level.OK, "senders hear of each other at once (LISTEN)"),
            (Level.WARNING, f"1 sender takes at most {PER_SENDER} connections; the server gives 4"),
        ],
    ),
    "behind a pooler": (
        Survey(timedelta(hours=-1), None, has_news=False),
        9,
        [
            (Level.WARNING, "the database's clock is 3600 s behind this machine's"),
            (
                Level.OK,
                "no notifications come through (a pooler in transaction mode): senders look every second what others did",
            ),
        ],
    ),
}


@pytest.mark.parametrize("which", SERVERS)
def test_what_the_server_is_like_is_judged(which: str) -> None:
    """By how many senders run: one more than none, since one is about to start."""
    found, senders, lines = SERVERS[which]
    assert judged([*shared_ledger.of_server(found, senders)]) == lines
