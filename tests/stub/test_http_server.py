"""The stub's HTTP server keeps a connection as Kanidm's does."""

import socket
from datetime import UTC, datetime

from starlette.applications import Starlette

from mail_sender.config.keys import SenderFile
from mail_sender.sender.schedule import Schedule
from server_stub.http_server import HttpServer


def test_a_connection_is_kept_from_one_poll_to_the_next() -> None:
    """Uvicorn alone would close it after 5 s, the time between two polls: each would begin with a TLS handshake."""
    now = datetime(2026, 11, 30, tzinfo=UTC)
    tick = Schedule(SenderFile.model_fields["schedule"].default).next_after(now)
    assert tick is not None
    with socket.socket() as bound:
        kept = HttpServer(Starlette(), bound).server.config.timeout_keep_alive
    assert kept >= 2 * (tick - now).total_seconds()
