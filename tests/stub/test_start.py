"""Starting and stopping: what is written, what is kept, and the sentence for each thing that can be wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import sqlite3
import stat
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Self

import httpx
import pytest
from cryptography import x509

from scripts import demo
from server_stub import service
from tests.support.stub import SERVER_STUB, Stub
from tests.support.stub_in_process import StubInProcess, command
from tests.support.virtual_time import VirtualLoop

FREE = ("--port", "0", "--smtps-port", "0", "--smtp-port", "0", "--web-port", "0")
KEPT = ("ca.pem", "tokens.json", "identity.json", "tls/ca-key.pem", "tls/server.pem", "tls/server-key.pem")


def serve(*args: str) -> subprocess.CompletedProcess[str]:
    """Run a `serve` that is expected to end by itself."""
    return command("serve", *args)


def fails_with_a_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_the_ready_file_names_four_ports_that_answer(process: Stub) -> None:
    """Once the file is there, every port accepts a connection."""
    assert list(process.ports) == ["api", "smtps", "smtp", "web"]
    for port in process.ports.values():
        socket.create_connection(("127.0.0.1", port), timeout=10).close()


def test_the_configs_are_complete_and_their_paths_absolute(stub: Stub) -> None:
    """A client config of Kanidm's and a sender config with all of Kanidm's keys."""
    client = tomllib.loads(stub.client_config.read_text())
    sender = tomllib.loads(stub.sender_config.read_text())
    assert client == {"uri": stub.url, "ca_path": str(stub.ca.absolute())}
    assert sender["token"] == stub.tokens["readwrite"]
    assert sender["mail_relay"] == f"smtps://localhost:{stub.ports['smtps']}"
    assert sender["relay"] == {"ca_path": str(stub.ca.absolute())}
    assert sender["ledger"] == {"path": str(stub.dir.absolute() / "state")}
    assert sender.keys() == {
        "token", "schedule", "instance_display_name", "instance_url", "mail_from_address", "mail_reply_to_address",
        "mail_relay", "mail_username", "mail_password", "mail_connect_timeout_seconds", "relay", "ledger",
    }  # fmt: skip


def test_secrets_are_for_their_owner_only(process: Stub) -> None:
    """DIR is 0700, and everything in it besides certificates is closed to others."""
    assert stat.S_IMODE(process.dir.stat().st_mode) == 0o700
    for path in process.dir.rglob("*"):
        if path.is_file() and path.suffix != ".pem":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((process.dir / "tls/ca-key.pem").stat().st_mode) == 0o600


def test_what_was_made_once_is_kept(stub: Stub) -> None:
    """A restart keeps certificates, tokens, passwords and the queue, and follows the ports."""
    stub.send_test("ellie")
    kept = [(stub.dir / name).read_bytes() for name in KEPT]
    messages = stub.messages()
    assert stub.stop() == 0
    stub.start()
    assert [(stub.dir / name).read_bytes() for name in KEPT] == kept
    assert stub.messages() == messages


def test_kill_9_loses_nothing_that_was_answered(process: Stub) -> None:
    """What was answered is in the queue after the process died without warning."""
    (key,) = process.queue([{}])
    process.send_test("ellie")
    process.request("POST", f"/scim/v1/Message/{key}/_sent")
    before = process.messages()
    assert process.kill() == -signal.SIGKILL
    process.start()
    assert process.messages() == before
    assert "sent_at" in before[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(process: Stub, number: signal.Signals) -> None:
    """Exit code 0 and nothing on stderr, also with connections open."""
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in process.ports.values()]
    os.kill(process.pid, number)
    assert process.wait() == 0
    assert process.stderr.read_text() == ""
    for connection in idle:
        connection.close()


def test_the_ca_is_not_the_servers_certificate(stub: Stub) -> None:
    """Kanidm's client refuses a CA that is itself the server's certificate."""
    ca = x509.load_pem_x509_certificate(stub.ca.read_bytes())
    leaf = x509.load_pem_x509_certificate((stub.dir / "tls/server.pem").read_bytes())
    assert leaf.issuer == ca.subject != leaf.subject
    assert leaf.public_key() != ca.public_key()
    leaf.verify_directly_issued_by(ca)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1", "::1"]
    usage = [one.extensions.get_extension_for_class(x509.KeyUsage).value for one in (ca, leaf)]
    assert [(one.key_cert_sign, one.digital_signature) for one in usage] == [(True, False), (False, True)]


def test_a_leaf_without_its_key_is_made_anew(stub: Stub) -> None:
    """The CA stays, so that nobody has to trust another."""
    ca = stub.ca.read_bytes()
    stub.stop()
    (stub.dir / "tls/server-key.pem").unlink()
    stub.start()
    assert stub.ca.read_bytes() == ca
    assert stub.request("GET", "/status").json() is True


def test_a_taken_port_is_named(tmp_path: Path) -> None:
    """The sentence says which port and which flag, and DIR has no config of a stub that never ran."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = serve("--dir", str(tmp_path / "stub"), *FREE, "--smtp-port", port)
    fails_with_a_sentence(done, port, "--smtp-port")
    assert not (tmp_path / "stub/config").exists()


def test_one_port_for_two_services_is_named(tmp_path: Path) -> None:
    """The second of the two gets the sentence with its flag."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    done = serve("--dir", str(tmp_path / "stub"), *FREE, "--port", port, "--web-port", port)
    fails_with_a_sentence(done, port, "--web-port")


@pytest.mark.parametrize("host", ["192.0.2.1", "203.0.113.9", "nosuch.invalid", "not a host", "x" * 300])
def test_a_host_that_is_not_ours_is_named(tmp_path: Path, host: str) -> None:
    """An address of another machine or no address at all gets a sentence; another port would not help."""
    done = serve("--dir", str(tmp_path / "stub"), *FREE, "--host", host)
    fails_with_a_sentence(done, host, "--host")
    assert "--port" not in done.stderr


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """Root without its power over files stands for anybody."""
    folder = tmp_path / "stub"
    folder.mkdir(mode=0o500)
    powers = "-dac_override,-dac_read_search,-fowner"
    dropped = ("setpriv", f"--inh-caps={powers}", f"--bounding-set={powers}") if os.geteuid() == 0 else ()
    serving = [*dropped, str(SERVER_STUB), "serve", "--dir", str(folder), *FREE]
    done = subprocess.run(serving, capture_output=True, text=True, timeout=30, check=False)
    fails_with_a_sentence(done, str(folder), "--dir")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """DIR may be missing, but not something else."""
    (tmp_path / "stub").write_text("")
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE), "stub", "--dir")


HEADER_ALONE = b"SQLite format 3\x00" + b"\x00" * 84
CORRUPT = (
    ("identity.json", b"{"),
    ("identity.json", b"[]"),
    ("identity.json", b'{"hs256_secret": 1}'),
    ("identity.json", b"\xff"),
    ("queue.sqlite", b"no database" * 100),
    ("queue.sqlite", HEADER_ALONE),
    ("tls/ca-key.pem", b"no key"),
    ("ca.pem", b"no certificate"),
    ("tls/server.pem", b"no certificate"),
    ("tls/server-key.pem", b"no key"),
)


def test_a_corrupt_state_file_is_named_and_left_alone(stub: Stub) -> None:
    """State is never repaired or replaced silently; with the file back, it starts."""
    stub.stop()
    for name, content in CORRUPT:
        path = stub.dir / name
        good = path.read_bytes()
        path.write_bytes(content)
        fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), str(path), "corrupt")
        assert path.read_bytes() == content
        path.write_bytes(good)
    stub.start()


@pytest.mark.parametrize("content", [b"[[refuse]", b"refuse = 7", b"[[refuse]]\ncode = 250", b"\xff"])
def test_a_broken_list_of_refusals_is_named_at_the_start(tmp_path: Path, content: bytes) -> None:
    """And not only when the first recipient comes."""
    folder = tmp_path / "stub"
    folder.mkdir()
    (folder / "refuse.toml").write_bytes(content)
    fails_with_a_sentence(serve("--dir", str(folder), *FREE), str(folder / "refuse.toml"))
    assert (folder / "refuse.toml").read_bytes() == content


STATE = ("identity.json", "queue.sqlite", "refuse.toml", "destroyed", "mail", "tls/server.pem", "config")


@pytest.mark.parametrize("name", STATE)
def test_something_else_in_the_place_of_a_state_file_is_named(stub: Stub, name: str) -> None:
    """A folder where a file should be, or the reverse."""
    stub.stop()
    path = stub.dir / name
    if path.is_dir():
        path.rmdir()
        path.write_text("")
    else:
        path.unlink(missing_ok=True)
        path.mkdir()
    fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), str(stub.dir))


def test_a_ca_without_its_key_is_not_replaced(stub: Stub) -> None:
    """Somebody may trust it already; a key alone is what a stop in the first start leaves, and no loss."""
    stub.stop()
    ca, key = stub.ca.read_bytes(), stub.dir / "tls/ca-key.pem"
    content = key.read_bytes()
    key.unlink()
    fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), str(key), str(stub.ca), "missing")
    assert stub.ca.read_bytes() == ca
    key.write_bytes(content)
    stub.ca.unlink()
    stub.start()
    assert stub.request("GET", "/status").json() is True


def test_a_ca_with_another_ones_key_is_corrupt(stub: Stub, tmp_path: Path) -> None:
    """It would sign what nobody who trusts it can verify."""
    stub.stop()
    with StubInProcess(tmp_path / "other") as other:
        stub.ca.write_bytes(other.ca.read_bytes())
    fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), str(stub.ca), "corrupt")


def test_what_is_written_at_each_start_heals_by_it(stub: Stub) -> None:
    """Configs, tokens and ports are copies, and no reason not to start."""
    stub.stop()
    names = ("config", "mail-sender", "tokens.json", "ports.json")
    before = (stub.dir / "tokens.json").read_bytes()
    for name in names:
        (stub.dir / name).write_text("{")
    stub.start()
    assert (stub.dir / "tokens.json").read_bytes() == before
    assert json.loads((stub.dir / "ports.json").read_text()) == {"host": "localhost", **stub.ports}


def test_a_queue_of_another_version_is_left_alone(stub: Stub) -> None:
    """A newer stub's queue is neither read wrongly nor changed."""
    stub.stop()
    path = stub.dir / "queue.sqlite"
    content = bytearray(path.read_bytes())
    content[60:64] = (99).to_bytes(4, "big")  # user_version, in the header of an SQLite file
    path.write_bytes(content)
    fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), str(path), "99")


def test_two_stubs_do_not_share_a_folder(stub: Stub) -> None:
    """The second one says so and harms nothing."""
    fails_with_a_sentence(serve("--dir", str(stub.dir), *FREE), "already running")
    assert stub.request("GET", "/status").json() is True


def test_a_folder_with_other_things_keeps_its_mode(tmp_path: Path) -> None:
    """Whoever names a folder of their own by mistake does not find it closed."""
    folder = tmp_path / "mine"
    folder.mkdir(mode=0o755)
    folder.chmod(0o755)
    (folder / "photo.jpg").write_text("")
    with StubInProcess(folder):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o755


@pytest.mark.parametrize("flags", [("--port", "x"), ("--port", "65536"), ("--port", "-1"), ("--colour",), ("extra",)])
def test_a_bad_flag_is_wrong_usage(tmp_path: Path, flags: tuple[str, ...]) -> None:
    """Exit code 2, and nothing is made."""
    done = serve("--dir", str(tmp_path / "stub"), *flags)
    assert done.returncode == 2
    assert not (tmp_path / "stub").exists()


def test_the_people_come_from_a_file(tmp_path: Path) -> None:
    """Names, addresses in their order; without a displayname or an address Kanidm's errors."""
    people = tmp_path / "people.toml"
    people.write_text(
        '[[person]]\nname = "carol"\ndisplayname = "Carol"\nmail = ["c@example.com", "c2@example.com"]\n'
        '[[person]]\nname = "dave"\nmail = ["d@example.com"]\n'
    )
    with StubInProcess(tmp_path / "stub", people=people) as stub:
        stub.send_test("carol")
        stub.send_reset("carol", "c2@example.com")
        assert [one["mail_destination"][0]["value"] for one in stub.messages()] == ["c@example.com", "c2@example.com"]
        nameless = stub.request("GET", "/scim/v1/Person/dave/_message/_send_test", "admin")
        assert (nameless.status_code, nameless.json()) == (500, {"missingattribute": "displayname"})
        assert stub.request("GET", "/scim/v1/Person/ellie/_message/_send_test", "admin").status_code == 404


@pytest.mark.parametrize(
    "content",
    ["[[person]", "", "person = 1", "[[person]]\nmail = []", '[[person]]\nname = "a"\nmail = "a@b"', "x = 1"],
)
def test_a_bad_people_file_is_named(tmp_path: Path, content: str) -> None:
    """Before anything is made."""
    people = tmp_path / "people.toml"
    people.write_text(content)
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE, "--people", str(people)), str(people))
    assert not (tmp_path / "stub").exists()


@pytest.mark.parametrize("flag", ["--people", "--misbehave"])
@pytest.mark.parametrize(
    "content", [None, b"\xff", b"= 7", b"unheard_of = 7", b"[unheard_of]", b"[[api]]\ncall = 'sned'"]
)
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, flag: str, content: bytes | None) -> None:
    """Missing, not UTF-8, not TOML, or of other tables: before anything is made."""
    file = tmp_path / "given.toml"
    if content is not None:
        file.write_bytes(content)
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE, flag, str(file)), str(file))
    assert not (tmp_path / "stub").exists()


def test_misbehaviour_comes_from_a_file(tmp_path: Path) -> None:
    """The rules are in force from the first call on, on the API and on the relay."""
    file = tmp_path / "misbehave.toml"
    file.write_text('[[api]]\ncall = "ready"\nstatus = 503\ntimes = 1\n')
    with StubInProcess(tmp_path / "stub", misbehave=file) as stub:
        assert [stub.request("GET", "/scim/v1/Message/_ready").status_code for _ in range(2)] == [503, 200]
        assert stub.request("GET", "/status").status_code == 200


def test_misbehaviour_queues_at_a_start_that_comes_about(tmp_path: Path) -> None:
    """What a file wants queued is there from the start on, and not once more for each start that failed."""
    file = tmp_path / "misbehave.toml"
    file.write_text("[queue]\nunknown_template = 2\n")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        flags = ("--misbehave", str(file), *FREE, "--web-port", str(taken.getsockname()[1]))
        fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *flags), "--web-port")
    with StubInProcess(tmp_path / "stub", misbehave=file) as stub:
        assert len(stub.messages()) == 2


def test_what_is_past_its_time_is_purged_at_the_start(stub: Stub) -> None:
    """Sent or not, as a real server does it; what has time left stays."""
    past, future = "2020-01-01T00:00:00Z", "2120-01-01T00:00:00Z"
    stub.queue([{"delete_after": past}, {"delete_after": past, "sent_at": past}])
    (kept,) = stub.queue([{"delete_after": future}])
    stub.stop()
    stub.start()
    assert [entry["id"] for entry in stub.messages()] == [kept]


class Purged:
    """A store that notes when it was purged, and is locked at its first time."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.at: list[float] = []
        self.thrice = asyncio.Event()

    def purge(self, _: int) -> int:
        self.at.append(self.loop.time())
        if len(self.at) == 1:
            raise sqlite3.OperationalError("database is locked")
        if len(self.at) == 3:
            self.thrice.set()
        return 0


def test_the_queue_is_purged_every_ten_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    """A locked queue is said and tried again ten minutes later."""
    loop = VirtualLoop()
    store = Purged(loop)

    async def watch() -> None:
        purging = asyncio.create_task(service._purge_from_time_to_time(store))  # type: ignore[arg-type]  # purges alone
        await store.thrice.wait()
        purging.cancel()

    with contextlib.closing(loop):
        loop.run_until_complete(watch())
    assert store.at == [600, 1200, 1800]
    assert "database is locked" in capsys.readouterr().err


def said_by(stub: Stub) -> str:
    """Return what a start says, from a start that ends at once."""
    stub.stop()
    serving = [str(SERVER_STUB), "serve", "--dir", str(stub.dir), *FREE]
    bare = {**os.environ, "PATH": "/usr/bin:/bin"}  # where a name finds the programs, it stands alone
    with subprocess.Popen(serving, stdout=subprocess.PIPE, text=True, env=bare) as process:
        assert process.stdout is not None
        said = "".join(iter(process.stdout.readline, "ready\n"))
        process.terminate()
    return said


def test_the_start_names_the_page_and_the_commands_that_follow(process: Stub) -> None:
    """Each of them can be copied as it stands: with its path, with absolute files, and with -s for root."""
    said = said_by(process)
    ports = json.loads((process.dir / "ports.json").read_text())
    assert f"http://localhost:{ports['web']}/" in said
    assert f"https://localhost:{ports['api']}" in said
    assert "Ctrl-C" in said
    commands = [shlex.split(line) for line in said.splitlines() if line.startswith("  ") and " -" in line]
    programs = [Path(command[0]).name for command in commands]
    assert programs == ["server-stub", "mail-sender", "server-stub", "kanidm"]
    assert all(Path(command[0]).is_absolute() for command in commands[:3])
    assert ("-s" in commands[1]) == (os.geteuid() == 0)
    assert commands[1][-4:] == ["-c", str(process.client_config), "-m", str(process.sender_config)]
    assert commands[3] == [
        "kanidm", "login", "-D", "idm_admin", "-H", f"https://localhost:{ports['api']}", "-C", str(process.ca),
    ]  # fmt: skip
    process.start()
    assert subprocess.run(commands[0], capture_output=True, timeout=30, check=True).stdout == b"Message Queued\n"
    assert b"ellie@example.com" in subprocess.run(commands[2], capture_output=True, timeout=30, check=True).stdout


def test_the_demo_names_a_page_that_answers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """While it runs; it ends by itself."""
    with demo.stub(tmp_path / "stub"):
        (page,) = re.findall(r"http://localhost:\d+/", capsys.readouterr().out)
        assert httpx.get(page, trust_env=False).status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(page, trust_env=False)


class Playing:
    """`make stub`, without make: the script as a process of its own, whose output is read line by line."""

    def __init__(self, folder: Path, *flags: str) -> None:
        command = [sys.executable, "scripts/stub.py", "--dir", str(folder), *flags, *FREE]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=Path(__file__).parents[2]
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.communicate(timeout=30)

    def upto(self, word: str) -> str:
        """Return all that is said up to a line with this word in it; pytest's timeout is the deadline."""
        assert self.process.stdout is not None
        said = ""
        for line in self.process.stdout:
            said += line
            if word in line:
                return said
        raise AssertionError(f"it ended without {word!r}: {said}")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_make_stub_leaves_a_stub_running_until_a_signal(tmp_path: Path, number: signal.Signals) -> None:
    """It says what `serve` says, runs on, and ends all of it with 0."""
    with Playing(tmp_path / "stub") as playing:
        said = playing.upto("Ctrl-C")
        (page,) = re.findall(r"http://localhost:\d+/", said)
        assert httpx.get(page, trust_env=False).status_code == 200
        playing.process.send_signal(number)
        assert playing.process.wait(30) == 0
        with pytest.raises(httpx.ConnectError):
            httpx.get(page, trust_env=False)


def test_make_stub_can_start_the_sender_with_it(tmp_path: Path) -> None:
    """What is queued is mailed and marked; the sender ends with the stub."""
    folder = tmp_path / "stub"
    with Playing(folder, "--sender") as playing:
        playing.upto("server_ready")
        queue = [str(SERVER_STUB), "message-queue", "send-test-message", "ellie", "--dir", str(folder)]
        subprocess.run(queue, check=True, capture_output=True, timeout=30)
        playing.upto(" marked ")
        playing.process.send_signal(signal.SIGINT)
        assert "stopped" in playing.upto("stopped")
        assert playing.process.wait(30) == 0
    assert len(list((folder / "mail").glob("*.eml"))) == 1


def test_make_stub_tells_why_it_did_not_start(tmp_path: Path) -> None:
    """The sentence and the exit code are those of `serve`."""
    (tmp_path / "stub").write_text("")
    with Playing(tmp_path / "stub", "--sender") as playing:
        assert "--dir" in playing.upto("Cannot")
        assert playing.process.wait(30) == 1


def test_make_hands_its_wishes_on() -> None:
    """SENDER=1 and FLAGS reach the script."""
    make = ["make", "-n", "stub", "SENDER=1", "FLAGS=--web-port 0"]
    done = subprocess.run(make, capture_output=True, text=True, cwd=Path(__file__).parents[2], timeout=30, check=True)
    assert done.stdout.splitlines()[-1].endswith("scripts/stub.py --sender --web-port 0")
