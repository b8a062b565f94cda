"""What our TLS contexts trust: whatever the operator names, on every Python."""

import datetime as dt
import ssl
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from mail_sender.tls import certificate, contexts
from tests.support.handshake import connected, handshake, self_signed, server_context

ROOT = Path(__file__).parents[3]
NAME = "relay.example"
# Version managers keep each Python in a folder beside the others.
PYTHONS = sorted(map(str, Path(sys.base_prefix).parent.glob("*/bin/python3.1[1-9]"))) or [sys.executable]


@pytest.fixture(scope="module")
def chain() -> tuple[trustme.CA, trustme.CA]:
    """Give a root and an intermediate CA that it has signed."""
    root = trustme.CA()
    return root, root.create_child_ca()


@pytest.mark.parametrize("named", ["root", "intermediate", "leaf"])
def test_a_certificate_that_the_operator_names_is_trusted(
    tmp_path: Path, chain: tuple[trustme.CA, trustme.CA], named: str
) -> None:
    """Be it the root, the intermediate CA that signed the relay's certificate, or that one itself."""
    root, intermediate = chain
    leaf = intermediate.issue_cert(NAME)
    pems = {"root": root.cert_pem, "intermediate": intermediate.cert_pem, "leaf": leaf.cert_chain_pems[0]}
    pems[named].write_to_path(str(tmp_path / "ca.pem"))
    context = contexts.context(tmp_path / "ca.pem")
    assert handshake(context, server_context(leaf), NAME) is None
    assert handshake(context, server_context(trustme.CA().issue_cert(NAME)), NAME) is not None
    assert handshake(context, server_context(leaf), "other.example") is not None


def test_trust_in_a_certificate_does_not_outlive_it(tmp_path: Path, chain: tuple[trustme.CA, trustme.CA]) -> None:
    """One that has expired is refused, although the operator names it."""
    now = dt.datetime.now(dt.UTC)
    leaf = chain[1].issue_cert(NAME, not_before=now - dt.timedelta(days=9), not_after=now - dt.timedelta(days=1))
    leaf.cert_chain_pems[0].write_to_path(str(tmp_path / "ca.pem"))
    assert handshake(contexts.context(tmp_path / "ca.pem"), server_context(leaf), NAME) is not None


_CHILD = """
import ssl, sys
sys.path.insert(0, sys.argv[1])
from mail_sender.tls import contexts, shown
from mail_sender.tls.pins import PinMismatch
from pathlib import Path

def shaken(context):
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(sys.argv[3])
    a, b = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(a, b, server_hostname="relay.example")
    theirs = server.wrap_bio(b, a, server_side=True)
    for step in (ours.do_handshake, theirs.do_handshake) * 3:
        try:
            step()
        except ssl.SSLWantReadError:
            pass
    return ours

trusted = shaken(contexts.context(Path(sys.argv[2])))
print(trusted.version())
print(shaken(contexts.pinned([shown.of(trusted).fingerprints.key])).version())
try:
    shaken(contexts.pinned(["ab" * 32]))
except PinMismatch as error:
    print(shown.by(error) == shown.of(trusted))
"""


@pytest.mark.parametrize("python", PYTHONS)
def test_every_python_trusts_the_same(tmp_path: Path, chain: tuple[trustme.CA, trustme.CA], python: str) -> None:
    """An intermediate CA, a self-signed certificate, and pins, on each Python that is installed here."""
    leaf = chain[1].issue_cert(NAME)
    intermediate, server = tmp_path / "ca.pem", tmp_path / "server.pem"
    chain[1].cert_pem.write_to_path(str(intermediate))
    leaf.private_key_and_cert_chain_pem.write_to_path(str(server))
    own = self_signed(tmp_path, NAME)
    for ca, served in ((intermediate, server), (own, own)):
        command = [python, "-I", "-c", _CHILD, *map(str, (ROOT, ca, served))]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout.split() == ["TLSv1.3", "TLSv1.3", "True"], done.stderr


@pytest.mark.parametrize(
    ("host", "name"),
    [("relay.test.", "relay.test"), ("relay.test", "relay.test"), ("fe80::1%eth0", "fe80::1"), ("::1", "::1")],
)
def test_a_certificate_is_asked_for_a_name_without_the_dot_at_its_end(host: str, name: str) -> None:
    """Certificates have none (RFC 6066, section 3)."""
    assert contexts.server_name(host) == name


def test_roots_that_the_environment_names_and_that_are_not_there_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL says nothing of them."""
    for name in ("SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
    assert contexts.missing_roots() == ""
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}/nothing:{tmp_path}")
    assert contexts.missing_roots() == ""
    monkeypatch.setenv("SSL_CERT_DIR", f"{tmp_path}/nothing")
    assert "no such folder" in contexts.missing_roots()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path))
    assert contexts.missing_roots() == f"SSL_CERT_FILE={tmp_path}: is a folder"
    for no_path in ("x" * 5_000, f"{tmp_path}/{'x' * 300}"):
        monkeypatch.setenv("SSL_CERT_FILE", no_path)
        assert contexts.missing_roots() == f"SSL_CERT_FILE={no_path}: no such file"


def test_an_error_of_another_file_is_not_blamed_on_a_good_ca(
    tmp_path: Path, chain: tuple[trustme.CA, trustme.CA]
) -> None:
    """OpenSSL keeps what went wrong before, and Python reports it of the next certificate that it loads."""
    ca, junk = tmp_path / "ca.pem", tmp_path / "junk.pem"
    chain[0].cert_pem.write_to_path(str(ca))
    junk.write_text("no certificate")
    assert certificate.of_file(junk) is None
    contexts.add_ca(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ca)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_every_handshake_shows_what_the_peer_asks_for_and_what_is_said_afterwards_costs_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: ssl.TLSVersion
) -> None:
    """A server may begin to want a client certificate at any time."""
    noted: list[object] = []
    note: Callable[..., object] = contexts._note_request
    monkeypatch.setattr(contexts, "_note_request", lambda *given: noted.append(note(*given)))
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    client, server = contexts.context(tmp_path / "ca.pem"), server_context(authority.issue_cert(NAME))
    server.maximum_version = version
    ours, theirs = connected(client, server, NAME)
    in_handshake = len(noted)
    theirs.write(b"250 ok")
    ours.write(b"QUIT")
    assert (ours.read(9), theirs.read(9), len(noted)) == (b"250 ok", b"QUIT", in_handshake)
    assert in_handshake > 0
    assert not contexts.is_asked(client)
    server.verify_mode = ssl.CERT_OPTIONAL
    connected(client, server, NAME)
    assert contexts.is_asked(client)
