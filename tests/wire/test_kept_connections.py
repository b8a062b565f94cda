"""A connection that was kept between two polls, and closed by the server meanwhile, is no trouble."""

import socket
import threading
from datetime import UTC, datetime

from mail_sender.names.secret import Secret
from mail_sender.source.config import SourceConfig
from mail_sender.source.kanidm import KanidmSource

BODY = b'{"schemas":[],"totalResults":0,"resources":[]}'
ANSWER = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (len(BODY), BODY)


def serve_each_connection_once_and_cut_the_next_request(listener: socket.socket, asked: list[bytes]) -> None:
    for _ in range(2):
        connection, _ = listener.accept()
        with connection:
            asked.append(connection.recv(65536).split(b"\r\n")[0])
            connection.sendall(ANSWER)
            # Only when the next request is on its way is the connection dropped: nobody could have known before.
            if connection.recv(65536):
                asked.append(b"cut")


async def test_a_request_on_a_connection_that_breaks_under_it_is_asked_once_more() -> None:
    """The server closes at the very moment of the next poll: the poll succeeds all the same, on a new connection."""
    asked: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(
            target=serve_each_connection_once_and_cut_the_next_request, args=(listener, asked), daemon=True
        )
        thread.start()
        source = KanidmSource(SourceConfig(f"http://127.0.0.1:{listener.getsockname()[1]}", Secret("token")))
        for _ in range(2):
            assert (await source.list_ready(datetime.now(UTC))).messages == ()
        await source.close()
        thread.join(10)
    ready = b"GET /scim/v1/Message/_ready HTTP/1.1"
    assert asked == [ready, b"cut", ready]
