"""The homes of ledgers: what processes share that play cases at the same time."""

import asyncio

import pytest

from tests.faults import rig_ledger
from tests.support.postgres import Postgres


@pytest.mark.debian("postgresql")
async def test_of_processes_that_begin_together_one_makes_the_template(postgres: Postgres) -> None:
    """The others wait for it, and take what is there."""
    postgres.execute("DROP DATABASE IF EXISTS ready", database="postgres")
    await asyncio.gather(*(rig_ledger.prepare(postgres) for _ in range(3)))
    names = postgres.execute("SELECT datname FROM pg_database WHERE NOT datistemplate", database="postgres")
    assert {"ready"} == {name for (name,) in names} & {"ready", "making"}
