"""A state folder, its ledger, and a control socket that answers for it: real sockets, real locks."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from mail_sender.clock import SteadyClock
from mail_sender.control.handler import Handler
from mail_sender.control.server import Control
from mail_sender.ledger import state_folder
from mail_sender.ledger.config import LedgerConfig
from mail_sender.ledger.sqlite import SqliteLedger
from mail_sender.ledger.state_folder import StateFolder
from tests.support.samples import message


@pytest.fixture
def state(tmp_path: Path) -> StateFolder:
    """Give a state folder without a ledger."""
    state = state_folder.ready(LedgerConfig(tmp_path / "state"))
    assert state is not None
    return state


@pytest.fixture
async def ledger_on_disk(state: StateFolder) -> AsyncIterator[SqliteLedger]:
    """Give the folder's ledger, open, with one message in it."""
    ledger = await state_folder.open_ledger(state)
    now = SteadyClock().now()
    await ledger.admit([message(delete_after=now + timedelta(days=1))], now, timedelta(days=1))
    yield ledger
    await ledger.close()


@pytest.fixture
async def listening(state: StateFolder, ledger_on_disk: SqliteLedger) -> AsyncIterator[Control]:
    """Give a control socket that answers."""
    control = Control(state, Handler(ledger_on_disk, None, SteadyClock()))
    await control.start()
    yield control
    await control.close()


@pytest.fixture
async def ledger() -> AsyncIterator[SqliteLedger]:
    """Give an empty ledger in memory."""
    ledger = await SqliteLedger.open(None)
    yield ledger
    await ledger.close()
