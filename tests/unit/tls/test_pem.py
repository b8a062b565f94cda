"""Certificates and keys are found in a PEM file, whatever stands around them."""

import os
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme

from mail_sender.tls import contexts, pem

AROUND: dict[str, Callable[[bytes], bytes]] = {
    "a comment in UTF-8": lambda text: "# Issuer: O=Müller\n".encode() + text,
    "a comment in Latin-1": lambda text: "# Issuer: O=Müller\n".encode("latin-1") + text,
    "bytes of any kind": lambda text: bytes(range(256)) + b"\n" + text + b"\n" + bytes(range(255, -1, -1)),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "CRLF": lambda text: text.replace(b"\n", b"\r\n"),
    "a byte order mark and CRLF": lambda text: b"\xef\xbb\xbf" + text.replace(b"\n", b"\r\n"),
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "UTF-16 of the other order": lambda text: b"\xfe\xff" + text.decode().encode("utf-16-be"),
    "no line end": lambda text: text.rstrip(b"\n"),
    "the indentation of YAML": lambda text: b"ca: |\n" + b"".join(b"  " + line for line in text.splitlines(True)),
    "a border in a comment": lambda text: b"# from -----BEGIN CERTIFICATE----- to the end\n" + text,
    "what openssl x509 -text prints": lambda text: b"Certificate:\n    Data:\n        Version: 3 (0x2)\n" + text,
}


@pytest.mark.parametrize("around", AROUND)
def test_what_stands_around_a_certificate_or_key_is_ignored(tmp_path: Path, around: str) -> None:
    """As a CA, and as a client certificate with its key."""
    authority = trustme.CA()
    leaf = authority.issue_cert("client@example.com")
    ca, certificate, key = tmp_path / "ca.pem", tmp_path / "cert.pem", tmp_path / "key.pem"
    ca.write_bytes(AROUND[around](authority.cert_pem.bytes()))
    certificate.write_bytes(AROUND[around](leaf.cert_chain_pems[0].bytes()))
    key.write_bytes(AROUND[around](leaf.private_key_pem.bytes()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    contexts.add_ca(context, ca)
    assert context.get_ca_certs(binary_form=True) == [ssl.PEM_cert_to_DER_cert(authority.cert_pem.bytes().decode())]
    contexts.add_client_certificate(context, certificate, key)


def test_every_certificate_of_a_file_counts(tmp_path: Path) -> None:
    """Not only the first one."""
    authorities = [trustme.CA() for _ in range(3)]
    (tmp_path / "ca.pem").write_bytes(b"# \xff\n".join(one.cert_pem.bytes() for one in authorities))
    assert len(pem.certificates(tmp_path / "ca.pem")) == 3


INSTEAD = {
    "binary": ssl.PEM_cert_to_DER_cert(trustme.CA().cert_pem.bytes().decode()),
    "but CERTIFICATE REQUEST": b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n",
    "does not end": b"-----BEGIN CERTIFICATE-----\nAAAA",
}


@pytest.mark.parametrize("words", INSTEAD)
def test_what_a_file_holds_instead_is_said_with_what_mends_it(tmp_path: Path, words: str) -> None:
    """A file from Windows, the wrong file, or half a file."""
    (tmp_path / "x").write_bytes(INSTEAD[words])
    with pytest.raises(pem.BadPem, match=words) as caught:
        pem.certificates(tmp_path / "x")
    assert caught.value.advice


@pytest.mark.parametrize(
    "text", [b"", b"\xff", b"-----BEGIN CERTIFICATE-----\n", b"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"]
)
def test_a_file_without_a_certificate_is_told_from_one_with_a_broken_one(tmp_path: Path, text: bytes) -> None:
    """The advice differs."""
    file = tmp_path / "x.pem"
    file.write_bytes(text)
    with pytest.raises(pem.BadPem, match="holds no PEM certificate"):
        pem.certificates(file)
    with pytest.raises(pem.BadPem, match="holds no PEM private key"):
        pem.private_keys(file)
    file.write_bytes(text + b"-----BEGIN CERTIFICATE-----\nM\xc3\xbcller\n-----END CERTIFICATE-----\n")
    with pytest.raises(pem.BadPem, match="cannot be read"):
        pem.certificates(file)


def test_what_may_never_end_is_not_read(tmp_path: Path) -> None:
    """A pipe, a device, a file of gigabytes: a sender that reads one sends no mail."""
    os.mkfifo(tmp_path / "pipe")
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(10**10)
    for path, words in (
        (tmp_path / "pipe", "regular"),
        (Path("/dev/zero"), "regular"),
        (tmp_path / "huge", "16 MiB"),
    ):
        for read in (pem.certificates, pem.private_keys):
            with pytest.raises(pem.BadPem, match=words):
                read(path)
