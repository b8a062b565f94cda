"""A ledger of each kind."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from mail_sender.ledger.base import Ledger
from mail_sender.ledger.postgres.ledger import PostgresLedger
from tests.contract.ledgers import LEDGERS
from tests.support.postgres import Postgres

_SHARED = pytest.param("postgresql", marks=pytest.mark.debian("postgresql"))


@pytest.fixture(params=[*LEDGERS, _SHARED])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a fresh ledger."""
    if request.param in LEDGERS:
        opened = await LEDGERS[request.param](tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        opened = await PostgresLedger.open(server.target())
    yield opened
    await opened.close()
