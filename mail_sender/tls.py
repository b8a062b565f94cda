"""TLS contexts for both directions: one towards the identity server, one towards the relay.

Both verify the peer against the system's roots (OpenSSL's, so `SSL_CERT_FILE` and `SSL_CERT_DIR` count) plus an
own CA, and speak TLS 1.2 or newer. Only towards the identity server may checks be switched off, as in Kanidm's
client; the relay gets the login and the mail, and there is no such switch.
"""

import ssl
from pathlib import Path


class BadPem(ValueError):
    """A file holds no usable certificate or key; the message says what it lacks."""


def context(ca_path: Path | None = None) -> ssl.SSLContext:
    """Return a verifying client context: the system's roots, and the CA where one is given.

    Raises `BadPem`, or `OSError` where the file cannot be read.
    """
    made = ssl.create_default_context()
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    # Python 3.13 sets it; private CAs, Kanidm's own generated one among them, often lack what it asks for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if ca_path is not None:
        add_ca(made, ca_path)
    return made


def add_ca(made: ssl.SSLContext, ca_path: Path) -> None:
    """Trust the certificates of a PEM file as well. Raises `BadPem`, or `OSError` where the file cannot be read."""
    text = ca_path.read_bytes().decode("ascii", errors="replace")
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise BadPem("holds no PEM certificate")
    try:
        made.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError):
        raise BadPem("holds a PEM certificate that cannot be read") from None


def add_client_certificate(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Present a certificate, with its chain, and its unencrypted key.

    Raises `BadPem`, or `OSError` where a file cannot be read.
    """

    def no_password() -> str:
        raise BadPem("the key is encrypted; remove its passphrase (openssl pkey)")

    try:
        made.load_cert_chain(certificate, key, password=no_password)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise BadPem("the key is not the certificate's") from None
        raise BadPem("certificate or key cannot be read") from None


def require_pem(path: Path, what: str) -> None:
    """Raise `BadPem` where the file holds no `CERTIFICATE` or no `PRIVATE KEY`, `OSError` where it cannot be read."""
    if f"{what}-----" not in path.read_bytes().decode("ascii", errors="replace"):
        raise BadPem(f"holds no PEM {what.lower()}")


def fault(error: ssl.SSLError, host: str) -> str:
    """Say in words why a handshake failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        reason = error.verify_message or str(error.reason)
        if error.verify_code == 62:  # X509_V_ERR_HOSTNAME_MISMATCH
            reason = f"it is for another name than {host}"
        elif error.verify_code in {18, 19, 20, 21}:
            reason = f"its CA is not trusted here ({reason})"
        elif error.verify_code == 10:
            reason = "it has expired"
        return f"the certificate is refused: {reason}"
    if speaks_plain(error):
        return "the server does not speak TLS on this port"
    return f"the TLS handshake failed ({(error.reason or str(error)).replace('_', ' ').lower()})"


def speaks_plain(error: ssl.SSLError) -> bool:
    """Say whether the peer answered our TLS with something that is not TLS."""
    return error.reason in {"WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "RECORD_LAYER_FAILURE", "HTTP_REQUEST"}
