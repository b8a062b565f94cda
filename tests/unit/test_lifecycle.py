"""What the process is prepared for before its work begins."""

import asyncio
import gc
import ssl
from asyncio import sslproto
from typing import Any

import pytest

from mail_sender import lifecycle

RECORD = 16 * 1024
"""Octets of the longest record (RFC 8446, section 5.1)."""


@pytest.mark.parametrize("asked", [-1, 10_000_000])
def test_a_tls_connection_holds_two_records_and_no_more(monkeypatch: pytest.MonkeyPatch, asked: int) -> None:
    """Asyncio's own buffer is for downloads: with it, 32 idle connections would hold 8 MB."""
    monkeypatch.setattr(sslproto.SSLProtocol, "max_size", 16 * RECORD)

    async def room() -> int:
        loop, context = asyncio.get_running_loop(), ssl.create_default_context()
        made: Any = sslproto.SSLProtocol(
            loop, asyncio.Protocol(), context, loop.create_future(), server_hostname="relay"
        )
        made._get_app_transport()._closed = (
            True  # it has no socket; without this, it would say that nobody has closed it
        )
        buffer: memoryview = made.get_buffer(asked)
        return len(buffer)

    garbage = gc.get_threshold()
    try:
        assert lifecycle.run_once(room()) == 2 * RECORD
    finally:
        gc.set_threshold(*garbage)
