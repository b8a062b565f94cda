"""With pins, a peer is known by its certificate or by its key, and by nothing else."""

import datetime as dt
import ssl
from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec

from mail_sender.tls import certificate, contexts, fingerprint
from mail_sender.tls.certificate import Certificate
from mail_sender.tls.fault import Peer, TlsFault, described, of
from mail_sender.tls.fingerprint import Fingerprints
from tests.support.handshake import handshake, self_signed, server_context, server_of, weak_certificate

NAME = "relay.example"
PEER = Peer(NAME, "mail_relay", "[relay] ca_path", "", pin_key="[relay] pin_sha256")
OTHER = "ab" * 32


def prints_of(pem: bytes) -> Fingerprints:
    return fingerprint.of(ssl.PEM_cert_to_DER_cert(pem.decode().partition("-----BEGIN PRIVATE")[0]))


def issued(*names: str, ends: int = 10) -> tuple[ssl.SSLContext, Fingerprints]:
    """Return a server of a CA that nobody trusts, and the fingerprints of its certificate."""
    now = dt.datetime.now(dt.UTC)
    begin, end = now - dt.timedelta(days=20), now + dt.timedelta(days=ends)
    leaf = trustme.CA().issue_cert(*(names or (NAME,)), not_before=begin, not_after=end)
    return server_context(leaf), prints_of(leaf.cert_chain_pems[0].bytes())


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("pin", ["certificate", "key"])
def test_a_pin_alone_decides(pin: str, version: ssl.TLSVersion) -> None:
    """No CA, no name and no date is asked for: neither do they save a peer without the pin."""
    for server, prints in (issued(), issued("other.example"), issued(ends=-1)):
        server.maximum_version = version
        assert handshake(contexts.pinned([OTHER, getattr(prints, pin)]), server, NAME) is None
        error = handshake(contexts.pinned([OTHER]), server, NAME)
        assert error is not None
        assert of(error) is TlsFault.OTHER_PIN


def test_a_self_signed_certificate_can_be_pinned(tmp_path: Path) -> None:
    """That is what a relay of one's own has. One with a weak key as well: its key is known."""
    for made in (self_signed(tmp_path, NAME), weak_certificate(tmp_path, NAME)):
        context = contexts.pinned([prints_of(made.read_bytes()).certificate])
        assert handshake(context, server_of(made), NAME) is None, made


def test_a_mismatch_names_what_was_seen_and_what_was_wanted() -> None:
    """So that both can be compared with what the relay's operator says."""
    server, prints = issued()
    error = handshake(contexts.pinned([OTHER]), server, NAME)
    assert error is not None
    detail, advice = described(error, PEER)
    assert all(one in detail for one in (prints.certificate, prints.key, OTHER))
    assert "by another way than this connection" in advice
    assert "[relay] pin_sha256" in advice


def renewed_once(folder: Path) -> list[tuple[ssl.SSLContext, Fingerprints]]:
    """Return servers with two certificates for one key."""
    key = ec.generate_private_key(ec.SECP256R1())
    files = [self_signed(folder, NAME, key).rename(folder / f"{number}.pem") for number in range(2)]
    return [(server_of(file), prints_of(file.read_bytes())) for file in files]


def test_a_renewal_with_the_same_key_is_told_from_another_certificate(tmp_path: Path) -> None:
    """Whoever pinned the certificate alone learns that it is the same relay, and that its key is the better pin."""
    (first, prints), (second, renewed) = renewed_once(tmp_path)
    context = contexts.pinned([prints.certificate])
    assert handshake(context, first, NAME) is None
    error = handshake(context, second, NAME)
    assert error is not None
    assert of(error) is TlsFault.RENEWED_WITH_SAME_KEY
    detail, advice = described(error, PEER)
    assert "renewed, with the same key" in detail
    assert renewed.key == prints.key in detail
    assert "key's SHA-256 into [relay] pin_sha256" in advice
    assert of(handshake(context, issued()[0], NAME) or error) is TlsFault.OTHER_PIN


def test_a_pinned_key_outlives_its_certificate(tmp_path: Path) -> None:
    """That is why it is the better pin."""
    (first, prints), (second, _) = renewed_once(tmp_path)
    context = contexts.pinned([prints.key])
    assert handshake(context, first, NAME) is handshake(context, second, NAME) is None


def test_how_long_a_pinned_certificate_is_good_is_known() -> None:
    """Nothing ends with it, but somebody will renew it."""
    server, prints = issued(ends=5)
    context = contexts.pinned([prints.key])
    to_client, to_server = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = context.wrap_bio(to_client, to_server, server_hostname=NAME)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for step in [ours.do_handshake, theirs.do_handshake] * 3:
        try:
            step()
        except ssl.SSLWantReadError:
            continue
    found = certificate.of(ours)
    assert found is not None
    assert found == Certificate(found.ends, is_pinned=True)
    assert 4 <= (found.ends - dt.datetime.now(dt.UTC)).days <= 5
