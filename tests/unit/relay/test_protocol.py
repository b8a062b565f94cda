"""Replies as they are read: leniently, whatever their octets are, and nothing that is left over is taken for the next."""

import asyncio
from unittest.mock import Mock

import pytest
from aiosmtplib.errors import SMTPResponseException
from aiosmtplib.response import SMTPResponse

from mail_sender.relay.protocol import RelayProtocol


async def reading(*packets: bytes) -> tuple[RelayProtocol, asyncio.Future[SMTPResponse]]:
    """Let packets arrive while a reply is waited for."""
    protocol = RelayProtocol(asyncio.get_running_loop())
    protocol.connection_made(Mock(spec=asyncio.Transport))
    reply = asyncio.ensure_future(protocol.read_response(timeout=None))
    await asyncio.sleep(0)
    for packet in packets:
        protocol.data_received(packet)
    return protocol, reply


@pytest.mark.parametrize(
    ("octets", "reply"),
    [
        (b"250 ok\r\n", (250, "ok")),
        (b"\r\n250 ok\r\n", (250, "ok")),
        (b"250-a\r\n\r\n \t\r\n250 b\r\n", (250, "a\nb")),
        (b"250-a\r\n\n\n\n250 b\r\n\r\n", (250, "a\nb")),
        (b" 250 ok\r\n", (250, "ok")),
        (b"250-a\r\nrubbish\r\n250 b\r\n", (250, "a\nb")),
        (b"250\r\n", (250, "")),
        (b"250 f\xfcr \xff\x00\r\n", (250, "f\ufffdr \ufffd\0")),
    ],
)
@pytest.mark.parametrize("piece", [1, 2, 1000])
async def test_a_reply_is_read_as_leniently_as_by_postfix(octets: bytes, reply: tuple[int, str], piece: int) -> None:
    """Blank lines and rubbish between lines count for nothing, however the octets are cut up."""
    pieces = [octets[start : start + piece] for start in range(0, len(octets), piece)]
    protocol, found = await reading(*pieces)
    assert await found == reply
    assert not protocol.has_unasked


@pytest.mark.parametrize("octets", [b"abc\r\n", b"2505 ok\r\n", b"-25 odd\r\n", b"HTTP/1.1 400\r\n250 ok\r\n"])
async def test_what_does_not_begin_as_a_reply_is_none(octets: bytes) -> None:
    """Three digits, and no fourth."""
    _, found = await reading(octets)
    with pytest.raises(SMTPResponseException):
        await found


async def test_a_second_reply_in_the_same_packet_is_unasked() -> None:
    """It is not taken for the next command's."""
    protocol, found = await reading(b"250 ok\r\n421 bye\r\n")
    assert await found == (250, "ok")
    assert protocol.has_unasked


async def test_a_blank_line_alone_is_no_reply_yet() -> None:
    """The reply is still to come."""
    _, found = await reading(b"\r\n\r\n")
    await asyncio.sleep(0)
    assert not found.done()
    found.cancel()
