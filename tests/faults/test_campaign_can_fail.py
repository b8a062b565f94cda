"""The campaign finds what it is there to find: each fault put into the product on purpose makes it fail."""

import pytest

from server_stub.misbehaviour.exchange import status
from tests.faults import saboteurs
from tests.faults.broken import broken_by
from tests.faults.family import Play
from tests.faults.rig import Rig
from tests.faults.rig_behaviour import HEALTHY, Behaviour, Step

# A connection that a case cut, or a process that it killed, is closed when asyncio gets to it, perhaps after the end.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SLOW = Behaviour(delays={Step.DOT: 60.0})


async def plain(rig: Rig) -> None:
    """Carry one mail, with nothing in its way."""
    rig.mail()
    await rig.start()
    await rig.drained()


async def killed_twice_at_the_dot(rig: Rig) -> None:
    """Kill the sender when the relay has the mail and has not said so; and the next one in the same place."""
    rig.relay.behave = lambda number: SLOW if number <= 2 else HEALTHY
    rig.mail()
    for kills in (1, 2):
        await rig.start()
        assert await rig.changes.until(lambda kills=kills: len(rig.relay.mails) == kills)  # type: ignore[misc]  # bound now
        await rig.crash()
    await rig.start()
    await rig.drained()


async def mark_refused_once(rig: Rig) -> None:
    """Carry one mail whose first mark meets a server that fails."""
    rig.api.fault(status(503), path="_sent")
    await plain(rig)


@pytest.mark.parametrize("play", [plain, killed_twice_at_the_dot, mark_refused_once])
def test_without_sabotage_all_of_it_holds(play: Play) -> None:
    """What is found below is the saboteur's doing."""
    assert broken_by(play) == {}


def test_a_ledger_that_does_not_commit_before_the_dot_is_found() -> None:
    """Who does not know that the mail may be out sends it a third time."""

    async def play(rig: Rig) -> None:
        rig.wraps.ledger = saboteurs.without_dot
        await killed_twice_at_the_dot(rig)

    assert {"I2", "I10"} <= broken_by(play).keys()


def test_a_mark_that_is_not_retried_is_found() -> None:
    """The ledger says that the server knows, and it does not."""

    async def play(rig: Rig) -> None:
        rig.wraps.source = saboteurs.without_retry_of_marks
        await mark_refused_once(rig)

    assert "I10" in broken_by(play)


def test_a_mail_that_is_sent_twice_is_found() -> None:
    """No cut at the dot excuses the second one."""

    async def play(rig: Rig) -> None:
        rig.wraps.transport = saboteurs.twice
        await plain(rig)

    assert "I2" in broken_by(play)


def test_a_mail_that_is_not_sent_is_found() -> None:
    """Nobody has it, and the server believes otherwise."""

    async def play(rig: Rig) -> None:
        rig.wraps.transport = saboteurs.never
        await plain(rig)

    assert {"I1", "I4", "I10"} <= broken_by(play).keys()


def test_a_password_in_the_log_is_found() -> None:
    """The log is searched for what only the case knows."""

    async def play(rig: Rig) -> None:
        rig.wraps.transport = saboteurs.talkative
        await plain(rig)

    assert "I7" in broken_by(play)


def test_a_secret_in_the_ledgers_files_is_found() -> None:
    """The files are searched as they lie there, the -wal too."""

    async def play(rig: Rig) -> None:
        await plain(rig)
        with (rig.folder / "ledger.db-wal").open("ab") as file:
            file.write(rig.api.token.encode())

    assert "I7" in broken_by(play)


def test_a_case_that_does_not_end_is_found() -> None:
    """A case that raises has failed, whatever the oracle says."""

    async def play(_rig: Rig) -> None:
        raise RuntimeError

    assert "end" in broken_by(play)
