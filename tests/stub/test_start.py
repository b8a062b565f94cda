"""Starting and stopping: what is written, what is kept, and the sentence for each thing that can be wrong."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import stat
import subprocess
import tomllib
from pathlib import Path

import pytest
from cryptography import x509

from tests.support.stub import SERVER_STUB, Stub

FREE = ("--port", "0", "--smtps-port", "0", "--smtp-port", "0", "--web-port", "0")
KEPT = ("ca.pem", "tokens.json", "identity.json", "tls/ca-key.pem", "tls/server.pem", "tls/server-key.pem")


def serve(*args: str, before: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Run a `serve` that is expected to end by itself."""
    command = [*before, str(SERVER_STUB), "serve", *args]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def fails_with_a_sentence(done: subprocess.CompletedProcess[str], *words: str) -> None:
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1, done.stderr
    for word in words:
        assert word in done.stderr


def test_the_ready_file_names_four_ports_that_answer(stub: Stub) -> None:
    """Once the file is there, every port accepts a connection."""
    assert list(stub.ports) == ["api", "smtps", "smtp", "web"]
    for port in stub.ports.values():
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


def test_secrets_are_for_their_owner_only(stub: Stub) -> None:
    """DIR is 0700, and everything in it besides certificates is closed to others."""
    assert stat.S_IMODE(stub.dir.stat().st_mode) == 0o700
    for path in stub.dir.rglob("*"):
        if path.is_file() and path.suffix != ".pem":
            assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    assert stat.S_IMODE((stub.dir / "tls/ca-key.pem").stat().st_mode) == 0o600


def test_what_was_made_once_is_kept(stub: Stub) -> None:
    """A restart keeps certificates, tokens, passwords and the queue, and follows the ports."""
    stub.send_test("ellie")
    kept = [(stub.dir / name).read_bytes() for name in KEPT]
    messages = stub.messages()
    assert stub.stop() == 0
    stub.start()
    assert [(stub.dir / name).read_bytes() for name in KEPT] == kept
    assert stub.messages() == messages


def test_kill_9_loses_nothing_that_was_answered(stub: Stub) -> None:
    """What a client was told is in the queue after the process died without warning."""
    (key,) = stub.queue([{}])
    stub.send_test("ellie")
    stub.request("POST", f"/scim/v1/Message/{key}/_sent")
    before = stub.messages()
    assert stub.kill() == -signal.SIGKILL
    stub.start()
    assert stub.messages() == before
    assert "sent_at" in before[0]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly(stub: Stub, number: signal.Signals) -> None:
    """Exit code 0 and nothing on stderr, also with connections open."""
    idle = [socket.create_connection(("127.0.0.1", port), timeout=10) for port in stub.ports.values()]
    os.kill(stub.pid, number)
    assert stub.wait() == 0
    assert stub.stderr.read_text() == ""
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


def test_a_leaf_without_its_key_is_made_anew(stub: Stub) -> None:
    """The CA stays, so that nobody has to be told to trust another."""
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


@pytest.mark.parametrize("host", ["192.0.2.1", "not a host", "x" * 300])
def test_a_host_that_is_not_ours_is_named(tmp_path: Path, host: str) -> None:
    """An address of another machine or no address at all gets a sentence."""
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE, "--host", host), host)


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    """Root without its power over files stands for anybody."""
    folder = tmp_path / "stub"
    folder.mkdir(mode=0o500)
    powers = "-dac_override,-dac_read_search,-fowner"
    dropped = ("setpriv", f"--inh-caps={powers}", f"--bounding-set={powers}") if os.geteuid() == 0 else ()
    fails_with_a_sentence(serve("--dir", str(folder), *FREE, before=dropped), str(folder), "--dir")


def test_a_file_in_the_place_of_the_folder_is_named(tmp_path: Path) -> None:
    """DIR may be missing, but not something else."""
    (tmp_path / "stub").write_text("")
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE), "stub", "--dir")


CORRUPT = (
    ("identity.json", b"{"),
    ("identity.json", b"[]"),
    ("identity.json", b'{"hs256_secret": 1}'),
    ("identity.json", b"\xff"),
    ("queue.sqlite", b"no database" * 100),
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
    with Stub(folder):
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
    with Stub(tmp_path / "stub", "--people", str(people)) as stub:
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


def test_a_ready_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    """A folder that is not there is no reason for a stack trace."""
    path = tmp_path / "missing/ready.json"
    fails_with_a_sentence(serve("--dir", str(tmp_path / "stub"), *FREE, "--ready-file", str(path)), str(path))


def test_the_tokens_carry_the_real_payload(stub: Stub) -> None:
    """HS256 for service accounts, ES256 for the administrator, each with Kanidm's claims."""

    def parts(token: str) -> list[dict[str, object]]:
        return [json.loads(base64.urlsafe_b64decode(part + "==")) for part in token.split(".")[:2]]

    header, payload = parts(stub.tokens["readonly"])
    assert (header["alg"], list(header)) == ("HS256", ["alg", "kid"])
    assert list(payload) == ["account_id", "token_id", "label", "expiry", "issued_at", "purpose"]
    assert (payload["purpose"], payload["expiry"]) == ("readonly", None)
    header, payload = parts(stub.tokens["admin"])
    assert header["alg"] == "ES256"
    assert payload["spn"] == "idm_admin@localhost"
