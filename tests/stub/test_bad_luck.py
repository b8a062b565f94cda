"""What goes wrong around a stub: a full disk, a folder that is gone, mails and requests made to be heavy, odd hosts."""

from __future__ import annotations

import asyncio
import errno
import resource
import shutil
import smtplib
import ssl
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from itertools import count
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

import server_stub.__main__ as program
from server_stub import service
from server_stub.errors import StubError
from server_stub.folder import files
from server_stub.folder.directory import Directory
from server_stub.folder.files import write_atomically
from server_stub.http_server import LARGEST_BODY
from server_stub.identity import people
from server_stub.identity.tokens import Keyring, decode_part
from server_stub.misbehaviour.active_rules import Misbehaviour
from server_stub.page.mail_parts import LONGEST_VALUE, MOST_PARTS, parse
from server_stub.relay import refusals
from server_stub.relay.conversation import Hooks
from server_stub.relay.mailbox import Envelope, Mailbox
from server_stub.startup.ports import Ports
from server_stub.startup.startup_text import startup_text
from tests.stub.test_relay import connected, password
from tests.stub.test_start import FREE, fails_with_a_sentence, serve
from tests.support.stub import Stub
from tests.support.stub_in_process import StubInProcess

ENVELOPE = Envelope("a@example.com", ["b@example.com"], "smtps", "TLSv1.3", "mail-sender", "client", "2026-11-28")
DEEP = "x = " + "[" * 3_000


@contextmanager
def largest_file(octets: int) -> Iterator[None]:
    """Have the system refuse to let files grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_mail_that_does_not_fit_leaves_room_for_those_that_do(tmp_path: Path) -> None:
    """Neither half of it nor its envelope stays behind; the error names the file."""
    mailbox = Mailbox(tmp_path)
    with largest_file(64 * 1024):
        with pytest.raises(OSError, match=r"00000001\.eml"):
            mailbox.store(b"x" * 200_000, ENVELOPE)
        assert list(tmp_path.iterdir()) == []
        assert mailbox.store(b"x", ENVELOPE) == "00000002"


def test_what_a_kill_left_in_the_middle_goes_at_the_next_start(tmp_path: Path) -> None:
    """It would be in the way, and nobody sees it."""
    stub = Directory.at(tmp_path / "stub")
    stub.prepare()
    left = stub.mail / f".00000001.eml{files.PARTIAL}"
    left.write_bytes(b"half a mail")
    stub.prepare()
    assert not left.exists()


def test_a_file_that_cannot_grow_is_said_to_the_client_and_to_the_operator(process: Stub) -> None:
    """A temporary refusal, after which the sender tries again; and what was to be written. Smaller mail goes on."""
    mail = EmailMessage()
    mail["From"], mail["To"] = "a@example.com", "b@example.com"
    mail.set_content("x\n" * 100_000)
    with connected(process, "smtps", ssl.create_default_context(cafile=str(process.ca))) as smtp:
        smtp.login("mail-sender", password(process))
        resource.prlimit(process.pid, resource.RLIMIT_FSIZE, (64 * 1024, resource.RLIM_INFINITY))
        with pytest.raises(smtplib.SMTPDataError, match=r"4\.3\.0"):
            smtp.send_message(mail)
        mail.set_content("x")
        assert smtp.send_message(mail) == {}
    assert [path.name for path in sorted((process.dir / "mail").iterdir())] == ["00000002.eml", "00000002.json"]
    assert "00000001.eml" in process.stderr.read_text()


async def test_a_full_disk_is_reported_as_one(capsys: pytest.CaptureFixture[str]) -> None:
    """With the code that says so (RFC 3463, X.3.1)."""
    error = OSError(errno.ENOSPC, "No space left on device", "mail/00000001.eml")
    hooks = Hooks(cast("Any", None))
    assert (await hooks.handle_exception(error)).startswith("452 4.3.1")
    assert "mail/00000001.eml" in capsys.readouterr().err


def test_a_folder_of_mails_that_is_gone_is_made_anew(stub: Stub, trust: ssl.SSLContext) -> None:
    """People clean up while it runs."""
    shutil.rmtree(stub.dir / "mail")
    with httpx.Client(base_url=f"http://localhost:{stub.ports['web']}", trust_env=False) as page:
        assert page.get("/state").json()["mail"]["total"] == 0
        mail = EmailMessage()
        mail["From"], mail["To"] = "a@example.com", "b@example.com"
        with connected(stub, "smtps", trust) as smtp:
            smtp.login("mail-sender", password(stub))
            smtp.send_message(mail)
        assert page.get("/state").json()["mail"]["total"] == 1


def test_a_mail_of_too_many_parts_is_read_as_far_as_it_is_reasonable() -> None:
    """The rest would cost minutes, in which nothing else is answered."""
    head = b"From: a@example.com\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"

    def with_html_at(place: int) -> bytes:
        parts = [b"--b\r\n\r\n"] * place + [b"--b\r\nContent-Type: text/html\r\n\r\nhi\r\n"]
        return head + b"".join(parts) + b"--b\r\n\r\n" * MOST_PARTS

    assert parse(with_html_at(10)).html == "hi"
    assert parse(with_html_at(MOST_PARTS + 10)).html is None


def test_a_head_that_never_ends_is_cut() -> None:
    """Its first headers are shown, a long one as it stands; the body is still there."""
    long = "=?utf-8?q?a?= " * LONGEST_VALUE
    many = "X: y\n" * 100_000
    parts = parse(f"Subject: {long}\nFrom: a@example.com\n{many}\nHello".encode())
    assert parts.header("subject").startswith("=?utf-8?q?a?=")
    assert len(parts.headers) < 100_000
    assert parts.text == "Hello"


def test_a_token_has_one_spelling(stub: Stub) -> None:
    """Whoever changes its last character, to see it refused, sees that; base64 alone would let some pass."""
    token = stub.tokens["readwrite"]
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [token[:-1] + char for char in alphabet if char != token[-1]]
    keyring = Keyring(b"key", ec.generate_private_key(ec.SECP256R1()))
    signed = keyring.sign_for_service({"a": 1})
    assert [char for char in alphabet if keyring.verify(signed[:-1] + char)] == [signed[-1]]
    url_safe = next(
        one
        for number in count()
        if {"-", "_"} & set(one := keyring.sign_for_service({"a": number}).rpartition(".")[2])
    )
    with pytest.raises(ValueError, match=r"."):
        decode_part(url_safe.replace("-", "+").replace("_", "/"))
    for other in others[:2]:
        answer = stub.request("GET", "/v1/self", None, headers={"authorization": f"Bearer {other}"})
        assert answer.status_code == 401
    with pytest.raises(ValueError, match="as it is written"):
        decode_part("AB")


@pytest.mark.parametrize("flag", ["--people", "--misbehave"])
def test_toml_that_is_nested_without_end_is_a_sentence(tmp_path: Path, flag: str) -> None:
    """Not a traceback of three thousand calls."""
    (tmp_path / "deep.toml").write_text(DEEP)
    done = serve("--dir", str(tmp_path / "stub"), *FREE, flag, str(tmp_path / "deep.toml"))
    fails_with_a_sentence(done, "deep.toml", "not TOML")


def test_whatever_is_nested_without_end_is_no_fault_of_the_program(tmp_path: Path) -> None:
    """In each file that people write, or break."""
    (tmp_path / "deep").write_text(DEEP)
    (tmp_path / "deep.json").write_text("[" * 100_000)
    for read in (
        lambda: people.load(tmp_path / "deep"),
        lambda: Misbehaviour().set(DEEP),
        lambda: refusals.reply_for("a@example.com", tmp_path / "deep"),
        lambda: files.read_json(tmp_path / "deep.json"),
    ):
        with pytest.raises(StubError):
            read()


@pytest.mark.parametrize("name", ["d\x7f", "d\udcff"])
def test_a_folder_that_no_config_could_name_is_refused(tmp_path: Path, name: str) -> None:
    """Its path stands in both configs."""
    fails_with_a_sentence(serve("--dir", str(tmp_path / name), *FREE), "--dir", "printable")


def test_a_host_of_its_own_stands_in_everything_that_is_written(tmp_path: Path) -> None:
    """Configs, addresses and certificate are those under which the stub answers."""
    with StubInProcess(tmp_path / "stub", host="127.0.0.2") as running:
        config = tomllib.loads(running.client_config.read_text())
        assert config["uri"] == f"https://127.0.0.2:{running.ports['api']}"
        relay = tomllib.loads(running.sender_config.read_text())["mail_relay"]
        assert relay == f"smtps://127.0.0.2:{running.ports['smtps']}"
        trust = ssl.create_default_context(cafile=str(running.ca))
        with httpx.Client(verify=trust, trust_env=False) as client:
            assert client.get(f"{config['uri']}/status").json() is True
        assert running.run("message-queue", "send-test-message", "ellie").returncode == 0
        assert running.run("message-queue", "list").returncode == 0
    with StubInProcess(tmp_path / "stub") as running:
        assert running.request("GET", "/v1/self").status_code == 200


def test_no_host_is_wrong_usage(tmp_path: Path) -> None:
    """An unset variable of a shell must not open the stub to everybody."""
    done = serve("--dir", str(tmp_path / "stub"), *FREE, "--host", "")
    assert done.returncode == 2
    assert "an address is needed" in done.stderr
    assert not (tmp_path / "stub").exists()


def test_a_stop_before_there_is_anything_is_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while libraries are read is no fault to report."""

    def interrupted() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(program, "_main", interrupted)
    with pytest.raises(SystemExit) as caught:
        program.main()
    assert caught.value.code == 130


def test_a_file_that_cannot_be_read_is_answered_as_kanidm_does_and_said(
    stub: Stub, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its headers, so that it is the server that failed and not something in between."""
    (stub.dir / "destroyed").unlink(missing_ok=True)
    (stub.dir / "destroyed").mkdir()
    answer = stub.request("GET", "/v1/self")
    assert (answer.status_code, answer.json()) == (500, "backend")
    assert "x-kanidm-version" in answer.headers
    assert "destroyed" in capsys.readouterr().err


def test_a_request_that_is_too_large_is_refused_unread(stub: Stub) -> None:
    """Whether it says so or not."""
    large = b" " * (LARGEST_BODY + 1)

    def chunks() -> Iterator[bytes]:
        yield from (large[:65536] for _ in range(LARGEST_BODY // 65536 + 1))

    for body in (large, chunks()):
        answer = stub.request("POST", "/v1/auth", None, content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 413
    page = httpx.post(f"http://localhost:{stub.ports['web']}/misbehaviour", content=large, trust_env=False)
    assert page.status_code == 413
    assert stub.request("GET", "/status", None).status_code == 200


async def test_too_many_connections_are_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    """Asyncio reports each of thousands, with a traceback."""
    crowded, loop = service._Crowded(), asyncio.get_running_loop()
    for _ in range(100):
        crowded(loop, {"message": "x", "exception": OSError(errno.EMFILE, "Too many open files")})
    assert capsys.readouterr().err.count("\n") == 1


def test_a_ttl_beyond_all_numbers_is_wrong_usage(stub: Stub) -> None:
    """As it is to `kanidm`."""
    done = stub.run("person", "credential", "send-reset-token", "ellie", "--ttl", "9" * 23)
    assert done.returncode == 2


def test_a_mail_that_could_not_be_there_is_deleted_without_ado(tmp_path: Path) -> None:
    """It is gone, as was asked."""
    assert Mailbox(tmp_path).delete(["\0", "9" * 300, "00000001"]) == 0


def test_a_ready_file_that_cannot_be_written_is_reported_before_anything_runs(tmp_path: Path) -> None:
    """Not after everything was announced."""
    done = serve("--dir", str(tmp_path / "stub"), *FREE, "--ready-file", str(tmp_path / "none/ready.json"))
    fails_with_a_sentence(done, "ready.json")
    assert done.stdout == ""


def test_a_write_that_fails_names_its_file(tmp_path: Path) -> None:
    """Whatever the system calls it."""
    with largest_file(1024), pytest.raises(OSError, match="state") as caught:
        write_atomically(tmp_path / "state", b"x" * 4096)
    assert caught.value.filename == str(tmp_path / "state")


def test_a_sender_that_is_started_anyway_is_not_advised(tmp_path: Path) -> None:
    """Whoever followed that would run two."""
    text = startup_text(Directory.at(tmp_path), "127.0.0.1", Ports(1, 2, 3, 4), has_sender=True)
    assert "mail-sender -c" not in text
    assert "start the sender" not in text
    assert "message-queue send-test-message ellie" in text
