"""What is said of a handshake that fails: each fault by its own name, with its own advice."""

import datetime as dt
import ssl
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import trustme

from mail_sender.tls import contexts
from mail_sender.tls.fault import Peer, TlsFault, described, of
from tests.support.handshake import handshake, self_signed, server_context, server_of, weak_certificate

NAME = "relay.example"
NOW = dt.datetime.now(dt.UTC)
PEER = Peer(NAME, "mail_relay", "[relay] ca_path", "set client_cert_path")
CERTIFIED = Peer(NAME, "mail_relay", "[relay] ca_path", "set client_cert_path", has_client_certificate=True)
Server = Callable[[trustme.CA, Path], ssl.SSLContext]


def valid(*names: str, since: int = -10, until: int = 10) -> Server:
    """Return a server with a certificate for names, valid for these days from now."""
    begin, end = (NOW + dt.timedelta(days=days) for days in (since, until))
    return lambda authority, _: server_context(
        authority.issue_cert(*(names or (NAME,)), not_before=begin, not_after=end)
    )


def changed(change: Callable[[ssl.SSLContext], object]) -> Server:
    """Return a server whose context is changed."""

    def made(authority: trustme.CA, folder: Path) -> ssl.SSLContext:
        context = valid()(authority, folder)
        change(context)
        return context

    return made


def from_file(write: Callable[[Path, str], Path]) -> Server:
    """Return a server with a certificate from a file."""
    return lambda _, folder: server_of(write(folder, NAME))


def wants_certificate(version: ssl.TLSVersion) -> Server:
    """Return a server that wants a client certificate, of a CA of its own."""

    def change(context: ssl.SSLContext) -> None:
        context.maximum_version = version
        context.verify_mode = ssl.CERT_REQUIRED
        trustme.CA().configure_trust(context)

    return changed(change)


def old(context: ssl.SSLContext) -> None:
    """Let a server speak TLS 1.1 at most."""
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1


def odd_cipher(context: ssl.SSLContext) -> None:
    """Let a server take a cipher that no client of ours offers."""
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("AES128-CCM8:ECDHE-ECDSA-AES128-CCM8")


TLS12, TLS13 = ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3
FAULTS: list[tuple[Server, Peer, TlsFault, str]] = [
    (valid("other.example"), PEER, TlsFault.WRONG_NAME, "into mail_relay"),
    (valid(until=-1), PEER, TlsFault.EXPIRED, "renew"),
    (valid(since=5), PEER, TlsFault.NOT_YET_VALID, "clock"),
    (from_file(self_signed), PEER, TlsFault.UNKNOWN_CA, "set [relay] ca_path"),
    (lambda _, __: valid()(trustme.CA(), Path()), PEER, TlsFault.UNKNOWN_CA, "set [relay] ca_path"),
    (from_file(weak_certificate), PEER, TlsFault.WEAK, "2048"),
    (changed(old), PEER, TlsFault.OLD_PROTOCOL, "TLS 1.2"),
    (changed(odd_cipher), PEER, TlsFault.NO_COMMON_CIPHER, "ciphers"),
    (wants_certificate(TLS12), PEER, TlsFault.CLIENT_CERTIFICATE_WANTED, "set client_cert_path"),
    (wants_certificate(TLS13), PEER, TlsFault.CLIENT_CERTIFICATE_WANTED, "set client_cert_path"),
    (wants_certificate(TLS12), CERTIFIED, TlsFault.CLIENT_CERTIFICATE_REFUSED, "trusted there"),
    (wants_certificate(TLS13), CERTIFIED, TlsFault.CLIENT_CERTIFICATE_REFUSED, "trusted there"),
]


@pytest.mark.filterwarnings("ignore:.*TLSv1_1 is deprecated")
@pytest.mark.parametrize(("server", "peer", "fault", "advice"), FAULTS, ids=[str(row[2]) for row in FAULTS])
def test_each_fault_of_a_handshake_has_its_own_advice(
    tmp_path: Path, server: Server, peer: Peer, fault: TlsFault, advice: str
) -> None:
    """Only what a CA file mends sends people to ca_path, only a wish for a client certificate to client_cert_path."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    context = contexts.context(tmp_path / "ca.pem")
    if peer.has_client_certificate:
        authority.issue_cert("client@example").configure_cert(context)
    error = handshake(context, server(authority, tmp_path), NAME)
    assert error is not None
    assert of(error, has_client_certificate=peer.has_client_certificate) is fault, error
    said = " ".join(described(error, peer))
    assert advice in said
    assert ("ca_path" in said) == (fault is TlsFault.UNKNOWN_CA)
    assert ("client_cert_path" in said) == (fault is TlsFault.CLIENT_CERTIFICATE_WANTED)


def test_a_wrong_name_is_said_beside_the_names_that_the_certificate_has(tmp_path: Path) -> None:
    """With both keys that can have one of them; what could not be a name is left out, and what is too much."""
    names = ["a.example", "*.b.example", "192.0.2.1", *(f"{number}.c.example" for number in range(9))]
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    error = handshake(contexts.context(tmp_path / "ca.pem"), valid(*names)(authority, tmp_path), NAME)
    assert error is not None
    detail, advice = described(error, replace(PEER, server_name_key="[relay] server_name"))
    assert detail.endswith(f"than {NAME} (its names: a.example, *.b.example, 192.0.2.1, 0.c.example)")
    assert "into mail_relay or [relay] server_name" in advice


def test_roots_that_are_not_there_are_named_where_a_ca_is_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That is what to correct first."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/roots.pem")
    error = handshake(contexts.context(), valid()(trustme.CA(), tmp_path), NAME)
    assert error is not None
    assert described(error, PEER)[1].startswith("correct SSL_CERT_FILE=/nowhere/roots.pem: no such file; or set")


def test_a_peer_that_answers_in_plain_text_is_told_from_one_that_speaks_tls() -> None:
    """A relay that wants STARTTLS, mostly."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    incoming.write(b"220 relay.example ESMTP\r\n")
    with pytest.raises(ssl.SSLError) as caught:
        contexts.context().wrap_bio(incoming, outgoing, server_hostname=NAME).do_handshake()
    assert of(caught.value) is TlsFault.NOT_TLS
