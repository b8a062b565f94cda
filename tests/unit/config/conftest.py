"""Good configuration files and certificates for the tests of this folder."""

from pathlib import Path

import pytest
import trustme

from tests.support.config_files import Files


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Give a folder for the two files."""
    return Files(tmp_path)


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Give PEM files: a CA, a certificate with its key, another one's key, an encrypted key, and no PEM."""
    folder = tmp_path_factory.mktemp("pems")
    authority = trustme.CA()
    one, other = authority.issue_cert("one.example"), authority.issue_cert("other.example")
    texts = {
        "ca": authority.cert_pem.bytes(),
        "cert": one.cert_chain_pems[0].bytes(),
        "key": one.private_key_pem.bytes(),
        "other": other.private_key_pem.bytes(),
        "both": one.private_key_and_cert_chain_pem.bytes(),
        "nothing": b"hello\n",
        "broken": b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    }
    for name, text in texts.items():
        (folder / name).write_bytes(text)
    return {name: folder / name for name in texts}
