"""The certificate files that both configs name: which load, and what is said of the others."""

from pathlib import Path

import pytest

from tests.support.config_files import Files, only
from tests.support.configs import relay_of


def test_a_ca_and_a_whole_client_certificate_load(files: Files, pems: dict[str, Path]) -> None:
    """CA, certificate and key arrive as paths; certificate and key may be one file."""
    for cert, key in (("cert", "key"), ("both", "both")):
        config = files.load(
            f"[relay]\nca_path = '{pems['ca']}'\nclient_cert_path = '{pems[cert]}'\nclient_key_path = '{pems[key]}'\n",
            {"ca_path": f"'{pems['ca']}'"},
        )
        assert (config.source.ca_path, relay_of(config).ca_path) == (pems["ca"], pems["ca"])
        assert (relay_of(config).client_cert_path, relay_of(config).client_key_path) == (pems[cert], pems[key])


PAIRS = [
    ("cert", None, "client_key_path is not"), (None, "key", "client_cert_path is not"),
    ("cert", "other", "not the certificate's"), ("nothing", "key", "holds no PEM certificate"),
    ("cert", "nothing", "holds no PEM private key"), ("cert", "cert", "holds no PEM private key"),
    ("broken", "key", "cannot be read"), ("missing", "key", "no such file"),
]  # fmt: skip


@pytest.mark.parametrize(("cert", "key", "words"), PAIRS)
def test_half_or_unusable_client_certificates_are_faults(
    files: Files, pems: dict[str, Path], cert: str | None, key: str | None, words: str
) -> None:
    """A certificate without its key, the wrong key, or what is no PEM, is said before anything is tried."""
    paths = {"client_cert_path": cert, "client_key_path": key}
    table = "".join(f"{name} = '{pems.get(pem, '/nowhere')}'\n" for name, pem in paths.items() if pem)
    fault = only(files.faults(f"[relay]\n{table}"))
    assert fault.key.startswith("relay.client_")
    assert words in str(fault)
    assert "PRIVATE" not in str(fault).replace("PEM PRIVATE", "")


@pytest.mark.parametrize("pem", ["nothing", "broken", "key"])
def test_a_ca_that_is_none_is_a_fault(files: Files, pems: dict[str, Path], pem: str) -> None:
    """For server, relay and token endpoint alike, a CA file must hold a certificate that can be read."""
    ca = f"ca_path = '{pems[pem]}'\n"
    oauth = (
        'flow = "refresh_token"\ntoken_url = "https://login.acme.zz/t"\nclient_id = "app"\nrefresh_token = "r-1"\n'
    )
    tables, login = f"[relay]\n{ca}[relay.oauth]\n{oauth}{ca}", {"mail_username": None, "mail_password": None}
    faults = files.faults(tables, {"ca_path": f"'{pems[pem]}'"}, **login)
    assert [(fault.path, fault.key) for fault in faults] == [
        (files.client, "ca_path"),
        (files.sender, "relay.ca_path"),
        (files.sender, "relay.oauth.ca_path"),
    ]
    assert all("PEM certificate" in fault.found for fault in faults)


def test_roots_that_the_environment_names_and_that_are_not_there_are_warned_of(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL goes on without them, and every certificate of a public CA is refused."""
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/roots.pem")
    (warning,) = files.load().warnings
    assert warning.startswith("SSL_CERT_FILE=/nowhere/roots.pem: no such file")


def test_a_ca_with_text_of_any_encoding_around_it_loads(files: Files, pems: dict[str, Path], tmp_path: Path) -> None:
    """In both configs: certificates come with comments, and names have umlauts."""
    named = tmp_path / "ca.pem"
    named.write_bytes("# Issuer: O=Müller\n".encode("latin-1") + pems["ca"].read_bytes())
    files.load(f"[relay]\nca_path = '{named}'\n", {"ca_path": f"'{named}'"})
