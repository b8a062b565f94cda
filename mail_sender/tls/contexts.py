"""TLS contexts for both directions: one towards the identity server, one towards the relay.

Both verify the peer against the system's roots (OpenSSL's, so `SSL_CERT_FILE` and `SSL_CERT_DIR` count) plus an
own CA, and speak TLS 1.2 or newer. Only towards the identity server may checks be switched off, as in Kanidm's
client; the relay gets the login and the mail, and there is no such switch. It may be known by pins instead, which are
checked before the handshake counts as done: nothing is said to a peer without one.
"""

import os
import ssl
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from weakref import WeakKeyDictionary, WeakSet

from mail_sender.tls import pem, shown
from mail_sender.tls.pem import BadPem
from mail_sender.tls.pins import Pins

_ASKING: WeakSet[ssl.SSLContext] = WeakSet()
"""The contexts whose peers have asked for a client certificate."""
_PINS: WeakKeyDictionary[ssl.SSLContext, Pins] = WeakKeyDictionary()
"""The pins of the contexts that go by them."""
_CERTIFICATE_REQUEST = 13  # RFC 8446, section 4; RFC 5246, section 7.4


class _Handshake(ssl.SSLObject):
    """A TLS connection that checks the pins of its context, if there are any.

    It notes on its error whether the peer had asked for a client certificate, and what it had shown (`shown.by`).
    """

    @classmethod
    def _create(cls, *given: Any, context: ssl.SSLContext, **named: Any) -> Self:
        with _noting(context):  # OpenSSL goes by what a context has at this time: without it, nothing would be noted
            made: Self = super()._create(*given, context=context, **named)  # type: ignore[misc]  # untyped
        return made

    def do_handshake(self) -> None:
        """Shake hands. Raises `ssl.SSLError`, a `PinMismatch` among them."""
        try:
            with _noting(self.context):
                super().do_handshake()
            if (pins := _PINS.get(self.context)) is not None:
                pins.check(shown.of(self))
        except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
            raise
        except ssl.SSLError as error:
            error.was_asked = is_asked(self.context)  # type: ignore[attr-defined]  # ours
            error.shown = shown.of(self)  # type: ignore[attr-defined]  # ours
            raise


@contextmanager
def _noting(made: ssl.SSLContext) -> Iterator[None]:
    """Note what the peers of a context ask for inside: everything that is said afterwards would be passed by it, too.

    The way to it is undocumented, but there since Python 3.8, and the only place where the peer's wish shows. `ssl`
    would translate the arguments of each call, which costs more than the encryption does.
    """
    callback = super(ssl.SSLContext, ssl.SSLContext)._msg_callback  # type: ignore[misc]  # a property of its base
    callback.__set__(made, _note_request)
    try:
        yield
    finally:
        callback.__set__(made, None)


def _note_request(connection: Any, direction: str, _version: Any, _content: Any, message: int, _data: Any) -> None:
    if direction == "read" and message == _CERTIFICATE_REQUEST:
        _ASKING.add(connection.context)


def is_asked(made: ssl.SSLContext) -> bool:
    """Say whether the peer has asked for a client certificate in a handshake with this context."""
    return made in _ASKING


def is_pinned(made: ssl.SSLContext) -> bool:
    """Say whether a context goes by pins."""
    return made in _PINS


def context(ca_path: Path | None = None) -> ssl.SSLContext:
    """Return a verifying client context: the system's roots, and the CA where one is given.

    Raises `BadPem`, or `OSError` where the file cannot be read.
    """
    made = ssl.create_default_context()
    _prepare(made)
    # Python 3.13 sets it; private CAs, Kanidm's own generated one among them, often lack what it asks for.
    made.verify_flags &= ~ssl.VERIFY_X509_STRICT
    # Python 3.13 sets it. Without it, an intermediate CA or a server's own certificate in `ca_path` is not trusted.
    made.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    if ca_path is not None:
        add_ca(made, ca_path)
    return made


def pinned(pins: Collection[str]) -> ssl.SSLContext:
    """Return a client context that takes the peers whose certificate has one of the fingerprints, and no others.

    That its peer has the certificate's private key, TLS makes sure of in any case.
    """
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    made.check_hostname = False
    made.verify_mode = ssl.CERT_NONE
    _PINS[made] = Pins(pins)
    _prepare(made)
    return made


def _prepare(made: ssl.SSLContext) -> None:
    """Make a context speak TLS 1.2 or newer, and its handshakes say what the peer asks for and shows."""
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    made.sslobject_class = _Handshake


def add_ca(made: ssl.SSLContext, ca_path: Path) -> None:
    """Trust the certificates of a PEM file as well. Raises `BadPem`, or `OSError` where the file cannot be read."""
    for certificate in pem.certificates(ca_path):
        try:
            _trust(made, certificate)
        except (ssl.SSLError, ValueError):
            raise BadPem("holds a PEM certificate that cannot be read") from None


def _trust(made: ssl.SSLContext, certificate: bytes) -> None:
    try:
        made.load_verify_locations(cadata=certificate)
    except ssl.SSLError:
        # OpenSSL keeps one list of errors for each thread, and this call reports, and clears, also one that another
        # call has left there (Python's `_add_ca_certs`): only what fails again is the certificate's.
        made.load_verify_locations(cadata=certificate)


def add_client_certificate(made: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Present a certificate, with its chain, and its unencrypted key.

    Raises `BadPem`, or `OSError` where a file cannot be read.
    """

    def no_password() -> str:
        raise BadPem("the key is encrypted", "remove its passphrase with `openssl pkey -in KEY -out NEW`")

    chain = "".join(map(ssl.DER_cert_to_PEM_cert, pem.certificates(certificate))).encode()
    # OpenSSL reads both from a file only: this one is in memory, and has nothing else in it.
    with os.fdopen(os.memfd_create("client-certificate"), "wb") as file:
        file.write(chain + pem.private_keys(key)[0])
        file.flush()
        try:
            made.load_cert_chain(f"/proc/self/fd/{file.fileno()}", password=no_password)
        except ssl.SSLError as error:
            if error.reason == "KEY_VALUES_MISMATCH":
                raise BadPem(
                    "the key is not the certificate's",
                    "name the key that belongs to it; if both are being renewed, the other one is still to come",
                ) from None
            raise BadPem("certificate or key cannot be read") from None


def server_name(host: str) -> str:
    """Return the name of a host as certificates and SNI have it: without a dot at the end, or an address's zone."""
    return host.partition("%")[0].rstrip(".")


def roots() -> tuple[Path, ...]:
    """Return the file of the system's roots, which is read when a context is made, if there is one.

    A folder of them is looked into at each handshake.
    """
    paths = ssl.get_default_verify_paths()
    file = Path(os.environ.get(paths.openssl_cafile_env) or paths.openssl_cafile)
    return (file,) if stat.S_ISREG(_mode(str(file))) else ()


def missing_roots() -> str:
    """Return the variable that should name the system's roots but names nothing, or an empty text."""
    paths = ssl.get_default_verify_paths()
    file, folders = os.environ.get(paths.openssl_cafile_env), os.environ.get(paths.openssl_capath_env)
    if file is not None and not stat.S_ISREG(_mode(file)):
        found = "is a folder" if file and stat.S_ISDIR(_mode(file)) else "no such file"
        return f"{paths.openssl_cafile_env}={file}: {found}"
    if folders is not None and not any(stat.S_ISDIR(_mode(folder)) for folder in folders.split(os.pathsep)):
        return f"{paths.openssl_capath_env}={folders}: no such folder"
    return ""


def _mode(path: str) -> int:
    """Return the mode of what a path leads to; 0 if it leads nowhere, to nothing that we may see, or is no path."""
    try:
        return Path(path).stat().st_mode
    except (OSError, ValueError):
        return 0
