"""A ledger of each kind."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from mail_sender.ledger.base import Ledger
from mail_sender.ledger.postgres.ledger import PostgresLedger
from tests.contract.ledgers import LEDGERS
from tests.support.postgres import Postgres, bouncing

_SHARED = pytest.param("postgresql", marks=pytest.mark.debian("postgresql"))
_BEHIND_BOUNCER = pytest.param("postgresql behind pgbouncer", marks=pytest.mark.debian("postgresql", "pgbouncer"))


@pytest.fixture(scope="session")
def bouncer(postgres: Postgres) -> Iterator[str]:
    """Give the folder of a PgBouncer's socket; it gives each transaction another session."""
    with bouncing(postgres) as folder:
        yield folder


@pytest.fixture(params=[*LEDGERS, _SHARED, _BEHIND_BOUNCER])
async def ledger(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Ledger]:
    """Give a fresh ledger."""
    if request.param in LEDGERS:
        opened = await LEDGERS[request.param](tmp_path)
    else:
        server: Postgres = request.getfixturevalue("postgres")
        way = {"host": request.getfixturevalue("bouncer")} if "behind" in request.param else {}
        opened = await PostgresLedger.open(server.target(**way))
    yield opened
    await opened.close()
