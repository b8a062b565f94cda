"""What `-t` prints: of the mail, of the identity server, and of a mail that was interrupted."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from mail_sender.cli import test_mail
from mail_sender.clock import SteadyClock
from mail_sender.config.config import Config
from mail_sender.errors import ServerFault, ServerFaultKind
from mail_sender.mail.mail import Mail
from mail_sender.names.secret import Secret
from mail_sender.relay.config import FolderConfig
from mail_sender.relay.folder import FolderTransport
from mail_sender.relay.transport import Transport
from mail_sender.sender.config import SenderConfig
from mail_sender.sender.schedule import Schedule
from mail_sender.sender.test_mail import TestMail
from mail_sender.source.config import SourceConfig
from mail_sender.verdict import Stage, Verdict
from mail_sender.wiring import ends
from tests.support.memory_source import MemorySource
from tests.support.recording_transport import RecordingTransport
from tests.support.samples import CUT, DOWN, ELLIE, LATER, MAIL, NO, OK

FOREVER = float("inf")
CONFIG = Config(
    SourceConfig("https://localhost:1", Secret("token")),
    FolderConfig(Path("/mails")),
    MAIL,
    SenderConfig(Schedule("@hourly")),
)

Print = Callable[[Transport], tuple[int, list[str]]]


@pytest.fixture
def source() -> MemorySource:
    """Give the identity server."""
    return MemorySource()


@pytest.fixture
def printed(source: MemorySource, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Print:
    """Give a function that sends a test mail, and returns the exit code and the lines that follow the first one."""

    def send(transport: Transport) -> tuple[int, list[str]]:
        mail = TestMail(source, transport, MAIL, SteadyClock())
        monkeypatch.setattr(ends, "test_mail", lambda *_: mail)
        try:
            code = int(test_mail.send(CONFIG, ELLIE))
        except KeyboardInterrupt:
            code = 130
        return code, capsys.readouterr().out.splitlines()[1:]

    return send


@pytest.mark.parametrize(("verdict", "code"), [(OK, 0), (NO, 1), (LATER, 75), (DOWN, 75), (CUT, 75)])
def test_a_server_that_is_not_usable_has_the_last_word_and_not_the_exit_code(
    printed: Print, source: MemorySource, verdict: Verdict, code: int
) -> None:
    """A 0 above a sender that would not run must not be read as "all is well"."""
    transport = RecordingTransport()
    transport.always(verdict)
    assert "The sender would not run" not in "".join(printed(transport)[1])
    source.down = ServerFault(ServerFaultKind.TOKEN_READ_ONLY, "the token is read-only", "make another one")
    found, lines = printed(transport)
    assert found == code
    assert lines[-2] == "identity server: not usable: the token is read-only; make another one"
    assert lines[-1].startswith("The sender would not run")
    assert f"Exit code {code} is about the test mail alone" in lines[-1]


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        (Stage.RCPT, "Interrupted before the final dot: the mail was not sent"),
        (Stage.DOT, "Interrupted after the final dot: the mail may have arrived; look into the mailbox"),
    ],
)
def test_what_is_known_of_a_mail_is_said_when_it_is_interrupted(printed: Print, stage: Stage, words: str) -> None:
    """Nobody has to guess whether it went out."""
    transport = RecordingTransport()
    transport.slow(ELLIE, FOREVER, stage)
    transport.meanwhile = interrupt_soon
    assert printed(transport) == (130, [words])


def test_a_mail_that_was_answered_is_told_though_the_server_hangs(printed: Print, source: MemorySource) -> None:
    """Ctrl-C while the identity server is waited for: the relay's answer is not lost."""
    source.slow["standing"] = FOREVER
    transport = RecordingTransport()
    transport.meanwhile = interrupt_soon
    code, lines = printed(transport)
    assert code == 130
    assert lines[0].startswith("Accepted: the relay answered 250")
    assert lines[-1] == "Interrupted: nothing is known of the identity server"


def test_a_dry_run_says_where_the_mail_was_written(printed: Print, tmp_path: Path) -> None:
    """Not that a relay accepted it."""
    code, lines = printed(FolderTransport(tmp_path))
    (file,) = tmp_path.iterdir()
    assert (code, lines[0]) == (0, f"A dry run: written, not sent: {file}")


def interrupt_soon(_: Mail) -> None:
    """Press Ctrl-C as soon as everything waits."""
    asyncio.get_running_loop().call_soon(signal.raise_signal, signal.SIGINT)
