"""The client's end of the control socket, against senders that end, hang or write nonsense."""

import socket
import threading

import pytest

from mail_sender.control import command
from mail_sender.control.connection import NoAnswer
from mail_sender.control.verbs import Verb
from mail_sender.errors import Exit
from mail_sender.ledger.state_folder import StateFolder
from tests.unit.control.asking import LIST, asked


def _server(state: StateFolder, answer: bytes, *, hang: threading.Event | None = None) -> threading.Thread:
    """Answer one client with these bytes, and close, or hang."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(state.control))
    listener.listen()

    def serve() -> None:
        with listener, listener.accept()[0] as client:
            client.recv(1000)
            client.sendall(answer)
            if hang is not None:
                hang.wait(10)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    return thread


@pytest.mark.parametrize("answer", [b"", b'{"progress": {"done": 1', b'{"progress": {}}\n', b"nonsense\n", b"7\n"])
def test_a_response_that_breaks_off_is_exit_75(state: StateFolder, answer: bytes) -> None:
    """A sender that ended, or nonsense, is no success."""
    thread = _server(state, answer)
    with pytest.raises(NoAnswer, match="try again in a moment") as error:
        asked(state, LIST)
    thread.join(10)
    assert error.value.exit_code == Exit.TEMPORARY


def test_a_sender_that_says_nothing_is_not_waited_for_for_ever(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has a deadline of its own."""
    monkeypatch.setattr(command, "VERBS", {"list": Verb(seconds=0.1)})
    release = threading.Event()
    thread = _server(state, b"", hang=release)
    with pytest.raises(NoAnswer, match="it takes too long"):
        asked(state, LIST)
    release.set()
    thread.join(10)
