"""The client's end of the control socket, against senders that end, hang or write nonsense."""

import errno
import threading

import pytest

from mail_sender.control import command, connection
from mail_sender.control.command import Command
from mail_sender.control.connection import NoAnswer
from mail_sender.control.verbs import Verb
from mail_sender.errors import Exit, MailSenderError
from mail_sender.ledger import own_files
from mail_sender.ledger.state_folder import StateFolder
from tests.unit.control.asking import LIST, answering, asked


@pytest.mark.parametrize(
    "answer",
    [b"", b'{"progress": {"done": 1', b'{"progress": {}}\n', b"nonsense\n", b"7\n", b"[" * 200_000 + b"\n"],
    ids=["nothing", "a half line", "no end", "nonsense", "a number", "a deep nest"],
)
def test_a_response_that_breaks_off_is_exit_75(state: StateFolder, answer: bytes) -> None:
    """A sender that ended, or nonsense, is no success."""
    thread = answering(state, answer)
    with pytest.raises(NoAnswer, match="try again in a moment") as error:
        asked(state, LIST)
    thread.join(10)
    assert error.value.exit_code == Exit.TEMPORARY


def test_a_status_without_an_end_is_not_read_for_ever(state: StateFolder) -> None:
    """It would fill the memory of whoever asks."""
    thread = answering(state, b"{}\n" * 101 + b'{"end": {"exit": 0}}\n')
    with pytest.raises(NoAnswer, match="the connection broke"):
        asked(state, Command("status"))
    thread.join(10)


def test_a_sender_that_says_nothing_is_not_waited_for_for_ever(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client has a deadline of its own."""
    monkeypatch.setattr(command, "VERBS", {"list": Verb(seconds=0.1)})
    release = threading.Event()
    thread = answering(state, b"", hang=release)
    with pytest.raises(NoAnswer, match="it takes too long"):
        asked(state, LIST)
    release.set()
    thread.join(10)


@pytest.mark.parametrize(("asked_for", "answer"), [(LIST, b"x" * 50), (Command("status"), b"{}\n" * 20)])
def test_a_sender_that_drips_is_not_waited_for_for_ever(
    state: StateFolder, monkeypatch: pytest.MonkeyPatch, asked_for: Command, answer: bytes
) -> None:
    """Each octet comes in time; but not the line of a list, and not the whole of a status, whose lines do."""
    rows = {"list": Verb(seconds=0.2), "status": Verb(seconds=0.2, is_of_queue=False)}
    monkeypatch.setattr(command, "VERBS", rows)
    thread = answering(state, answer, every=0.02)
    with pytest.raises(NoAnswer, match="it takes too long"):
        asked(state, asked_for)
    thread.join(10)


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), Exit.NOT_ALLOWED, "run this as the sender's user"),
        (OSError(errno.EIO, "Input/output error"), Exit.TEMPORARY, "input/output error"),
    ],
)
def test_a_socket_that_cannot_be_reached_is_said_to_be_so(
    error: OSError, code: Exit, said: str, state: StateFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is somebody else's, or the disk is at fault; a health check asks without having seen a ledger."""

    def inspect(*_: object) -> None:
        raise error

    monkeypatch.setattr(own_files, "inspect", inspect)
    with pytest.raises(MailSenderError, match=said) as raised:
        connection.connect(state)
    assert raised.value.exit_code == code
