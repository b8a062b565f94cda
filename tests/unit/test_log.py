"""One line per event on standard error, with no secret and no control character in it, whatever happens to it."""

import io
import json
import logging
import os
import re
import sys
from pathlib import Path
from uuid import UUID

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from mail_sender import log
from mail_sender.names.secret import Secret
from mail_sender.verdict import Reply

SECRET = "pa55w0rd-s3cr3t"


class Output:
    """What has been written to standard error."""

    def __init__(self, capsys: pytest.CaptureFixture[str]) -> None:
        self._capsys = capsys
        self._text = ""

    def getvalue(self) -> str:
        """Return all of it."""
        self._text += self._capsys.readouterr().err
        return self._text


@pytest.fixture
def stderr(capsys: pytest.CaptureFixture[str]) -> Output:
    """Give a standard error that can be read."""
    return Output(capsys)


def configure(form: log.Format = "text", *, debug: bool = False, secrets: tuple[str, ...] = (SECRET,)) -> None:
    """Set the log up."""
    log.configure(debug=debug, form=form, secrets=map(Secret, secrets))


def lines(stream: Output) -> list[str]:
    """Return what was written."""
    return stream.getvalue().splitlines()


def test_a_line_has_time_level_event_and_fields(stderr: Output) -> None:
    """Time in UTC, a mark for the level, the event's name, fields in their order, and a sentence at the end."""
    configure()
    structlog.get_logger().warning("deferred", message_id=UUID(int=1), stage="rcpt", message="tried again later")
    structlog.get_logger().info("sent", queue_id=None, reply=Reply(250, "2.0.0 Ok"), flag=True, count=3, empty="")
    first, second = lines(stderr)
    pattern = (
        rf"\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ ! deferred +message_id={UUID(int=1)} stage=rcpt - tried again later"
    )
    assert re.fullmatch(pattern, first)
    assert second.split("Z   sent", 1)[1].strip() == 'reply="250 2.0.0 Ok" flag=True count=3 empty=""'


def test_json_has_one_object_per_line_with_the_keys_that_log_shippers_look_for(stderr: Output) -> None:
    """The same event in ASCII: time, level, event and message, then the fields in their order."""
    configure("json")
    structlog.get_logger().error(
        "failed", message_id=UUID(int=1), reply=Reply(550, "nön\r\n"), message="not tried again"
    )
    (line,) = lines(stderr)
    found = json.loads(line)
    assert line.isascii()
    assert list(found) == ["timestamp", "level", "event", "message", "message_id", "reply"]
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": "failed", "level": "error", "message_id": str(UUID(int=1)), "reply": "550 nön", "message": "not tried again",
    }  # fmt: skip


LEVELS = ["debug", "info", "warning", "error"]


def logged_to_a_file(path: Path, monkeypatch: pytest.MonkeyPatch, form: log.Format, stream: str | None) -> list[str]:
    """Log once at each level with a file as standard error, `stream` as $JOURNAL_STREAM ("it" names the file)."""
    with path.open("w") as file, monkeypatch.context() as patch:
        found = os.fstat(file.fileno())
        named = f"{found.st_dev}:{found.st_ino}" if stream == "it" else stream
        patch.setattr(sys, "stderr", file)
        log.configure(debug=True, form=form, environment={} if named is None else {"JOURNAL_STREAM": named})
        for level in LEVELS:
            getattr(structlog.get_logger(), level)("event", field=1)
    return path.read_text().splitlines()


def test_a_line_for_the_journal_begins_with_its_priority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From <7> for debug to <3> for an error (sd-daemon(3)), before what stands elsewhere; JSON has its level inside."""
    found = logged_to_a_file(tmp_path / "journal", monkeypatch, "text", "it")
    assert [line[:3] for line in found] == ["<7>", "<6>", "<4>", "<3>"]
    assert all(re.fullmatch(r"\d{4}-\d\d-\d\dT\S+Z [ !x] event +field=1", line[3:]) for line in found)
    found = logged_to_a_file(tmp_path / "journal", monkeypatch, "json", "it")
    assert [json.loads(line)["level"] for line in found] == LEVELS


@pytest.mark.parametrize("stream", [None, "", "1:2", "0:0", "nonsense"])
def test_where_standard_error_is_another_file_no_line_has_a_priority(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stream: str | None
) -> None:
    """$JOURNAL_STREAM is inherited by programs whose standard error was redirected since (systemd.exec(5))."""
    assert "<" not in "".join(logged_to_a_file(tmp_path / "file", monkeypatch, "text", stream))


def test_a_quiet_log_speaks_only_if_debug_is_wanted(stderr: Output) -> None:
    """`doctor` says itself what its checks find: the log would say it again, between its lines."""
    for debug in (False, True):
        log.configure(debug=debug, form="text", quiet=True)
        structlog.get_logger().error("relay_down")
    assert len(lines(stderr)) == 1


def test_debug_is_said_only_where_it_is_asked_for(stderr: Output) -> None:
    """`-d` shows more."""
    configure()
    structlog.get_logger().debug("detail")
    assert lines(stderr) == []
    configure(debug=True)
    structlog.get_logger().debug("detail")
    assert len(lines(stderr)) == 1


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("name", ["token", "password", "intent_id", "link", "url", "body", "authorization"])
def test_a_field_that_is_named_like_a_secret_is_hidden(stderr: Output, form: log.Format, name: str) -> None:
    """Whatever its value is."""
    configure(form, secrets=())
    structlog.get_logger().info("event", **{name: "something"})
    assert "something" not in stderr.getvalue()
    assert "***" in stderr.getvalue()


class Holder:
    """Something that shows a secret when it is printed."""

    def __str__(self) -> str:
        return f"<{SECRET}>"

    __repr__ = __str__


VALUES = [f"x{SECRET}y{SECRET}", {"x": [SECRET]}, {SECRET: 1}, ValueError(SECRET), (Holder(),)]


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_a_configured_secret_is_cut_out_of_every_value(stderr: Output, form: log.Format, value: object) -> None:
    """In text, in structures, in exceptions, and in the sentence."""
    configure(form)
    structlog.get_logger().info("event", field=value, message=f"because of {value}")
    assert SECRET not in stderr.getvalue()
    assert stderr.getvalue().count("***") >= 2


def test_a_secret_inside_another_leaves_nothing_behind(stderr: Output) -> None:
    """The longer one is cut first."""
    configure(secrets=(SECRET, f"{SECRET}-and-more"))
    structlog.get_logger().info("event", field=f"{SECRET}-and-more")
    assert "more" not in stderr.getvalue()


@pytest.mark.parametrize(
    "link",
    ["https://idm.example.com/ui/reset?token=d1c2s-tuyyh", "http://x/ui/revoke?a=b&token=d1c2s-tuyyh&c=d",
     "see <https://x/?token=d1c2s-tuyyh>, please", '"https://x/?token=d1c2s-tuyyh"'],
)  # fmt: skip
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_reset_link_is_cut_out_of_every_text(stderr: Output, form: log.Format, link: str) -> None:
    """The token of a link is nobody's business, though it is no secret of the configuration."""
    configure(form, secrets=())
    structlog.get_logger().info("event", field=link, message=link)
    assert "d1c2s" not in stderr.getvalue()


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=60), st.sampled_from(["text", "json"]))
def test_no_text_breaks_its_line_or_the_terminal(text: str, form: log.Format) -> None:
    """What a relay or a server says is shown in one printable line."""
    stream, old = io.StringIO(), sys.stderr
    sys.stderr = stream
    try:
        configure(form)
        structlog.get_logger().info("event", field=text, message=text)
    finally:
        sys.stderr = old
    written = stream.getvalue()
    assert written.endswith("\n")
    assert written[:-1].isprintable()


@pytest.mark.parametrize("evil", ["\r\nfake line", "\x1b[2J", "\x07", "\u2028", "\x85", "\u202e", "\ud800", "\x00"])
def test_a_control_character_is_shown_not_obeyed(stderr: Output, evil: str) -> None:
    """It stands there escaped, also in the name of an event or a field."""
    configure()
    structlog.get_logger().info(f"event{evil}", field=f"a{evil}b", message=f"c{evil}d")
    written = stderr.getvalue()
    assert written.count("\n") == 1
    assert written[:-1].isprintable()
    assert "fake line" not in evil or "\\r\\nfake line" in written


@pytest.mark.parametrize("form", ["text", "json"])
def test_a_line_is_written_in_one_piece(monkeypatch: pytest.MonkeyPatch, form: log.Format) -> None:
    """Standard error may be unbuffered (PYTHONUNBUFFERED in the image): a line costs one call of the system."""
    pieces: list[str] = []
    stream = io.StringIO()
    monkeypatch.setattr(stream, "write", pieces.append)
    configure(form)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        structlog.get_logger().info("event", message="one")
        structlog.get_logger().info("event", message="two")
    assert [piece.count("\n") for piece in pieces] == [1, 1]
    assert all(piece.endswith("\n") for piece in pieces)


class Broken(io.StringIO):
    """A standard error that cannot be written to."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def write(self, _: str) -> int:
        """Fail."""
        raise self.error

    def flush(self) -> None:
        """Fail."""
        raise self.error


ERRORS = [OSError(28, "No space left on device"), BrokenPipeError(), ValueError("I/O operation on closed file")]


@pytest.mark.parametrize("stream", [*map(Broken, ERRORS), None], ids=["full", "pipe", "closed", "none"])
def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch, stream: Broken | None) -> None:
    """A full disk, a closed pipe, or no standard error at all (`2>&-`) is nobody's mail's fault."""
    configure()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stderr", stream)
        structlog.get_logger().error("event", message="nobody reads this")


def test_libraries_say_nothing(stderr: Output) -> None:
    """Their loggers would show requests and conversations, headers and all."""
    configure(debug=True)
    for name in ("httpx", "httpcore.http11", "aiosmtplib", "asyncio"):
        logging.getLogger(name).error("authorization: Bearer %s", SECRET)
    assert stderr.getvalue() == ""
