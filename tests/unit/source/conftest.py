"""A source of a server that is `respx`: no socket is opened."""

from collections.abc import AsyncIterator, Iterator

import pytest
import respx

from mail_sender.names.secret import Secret
from mail_sender.source.config import SourceConfig
from mail_sender.source.http_connection import Connection
from mail_sender.source.kanidm import KanidmSource
from mail_sender.source.network import Network
from tests.unit.source.answering import SERVER
from tests.unit.source.routed import connected


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[respx.MockRouter]:
    """Give a server that answers what a test routes; what is not routed fails the test."""

    async def connect(_: Network) -> Connection:
        return connected(router)

    monkeypatch.setattr(Network, "connect", connect)
    with respx.mock(base_url=SERVER, assert_all_called=False, using=None) as router:
        yield router


@pytest.fixture
async def source(server: respx.MockRouter) -> AsyncIterator[KanidmSource]:
    """Give a source of that server."""
    made = KanidmSource(SourceConfig(SERVER, Secret("a-token")))
    yield made
    await made.close()
