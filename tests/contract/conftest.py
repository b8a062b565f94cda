"""A ledger of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mail_sender.ledger.base import Ledger
from tests.contract.ledgers import LEDGERS


@pytest.fixture(params=LEDGERS)
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a fresh ledger."""
    opened = await LEDGERS[request.param](tmp_path)
    yield opened
    await opened.close()
