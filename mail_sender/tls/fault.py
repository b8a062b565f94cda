"""Why a TLS handshake failed, and what to do about it: one table for the relay and the identity server."""

import re
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from mail_sender.tls import contexts, shown
from mail_sender.tls.fingerprint import Fingerprints
from mail_sender.tls.pins import PinMismatch


@dataclass(frozen=True, slots=True)
class Peer:
    """Who is at the other end, and which keys are about it.

    `name` is the one that its certificate must have, `name_key` the key that has its host, `ca_key` the one that
    names a CA. `server_name_key` is the key for another name than the host's, `pin_key` the one for its pins, where
    there are any. `client_advice` says what to do if it wants a client certificate, `has_client_certificate` whether
    one is presented.
    """

    name: str
    name_key: str
    ca_key: str
    client_advice: str
    has_client_certificate: bool = False
    server_name_key: str = ""
    pin_key: str = ""


class TlsFault(Enum):
    """What went wrong: what is said of it, and what to do.

    `{reason}` stands for OpenSSL's words, `{names}` and `{prints}` for what the peer showed, the rest for `Peer`'s.
    """

    WRONG_NAME = (
        "the certificate is refused: it is for another name than {name}{names}",
        "write the name that the certificate has into {name_keys}, or have {name} put into the certificate",
    )
    OTHER_PIN = (
        "the certificate is refused: it has none of the pins ({prints})",
        "find out by another way than this connection whether the certificate is new; if it is, write its key's "
        "SHA-256 into {pin_key}; if it is not, somebody is in between",
    )
    RENEWED_WITH_SAME_KEY = (
        "the certificate is refused: it has none of the pins, because it was renewed, with the same key ({prints})",
        "write the key's SHA-256 into {pin_key}: it stays the same when the certificate is renewed like that",
    )
    EXPIRED = (
        "the certificate is refused: it has expired",
        "renew the certificate, or a CA's that was sent with it; if it is good, correct this machine's clock",
    )
    NOT_YET_VALID = (
        "the certificate is refused: it is not valid yet",
        "correct this machine's clock; if it is right, the certificate was made with a wrong one",
    )
    UNKNOWN_CA = (
        "the certificate is refused: its CA is not trusted here ({reason})",
        "set {ca_key} to a PEM file with its CA, or with the certificate itself, or have its whole chain sent",
    )
    REVOKED = ("the certificate is refused: it has been revoked", "renew the certificate")
    WEAK = (
        "the certificate or its keys are too weak for this machine ({reason})",
        "renew the certificate, with RSA of 2048 bits or more, or EC, and SHA-256",
    )
    REFUSED = ("the certificate is refused: {reason}", "correct the certificate")
    OLD_PROTOCOL = (
        "it speaks no TLS that is new enough ({reason})",
        "switch on TLS 1.2 or 1.3 there, or use another server or port; older versions are not safe",
    )
    CLIENT_CERTIFICATE_WANTED = ("it wants a client certificate", "{client_advice}")
    CLIENT_CERTIFICATE_REFUSED = (
        "it refuses our client certificate ({reason})",
        "renew it, or have its CA trusted there",
    )
    UNKNOWN_NAME = ("it has no certificate for {name} ({reason})", "write the name that it goes by into {name_keys}")
    NO_COMMON_CIPHER = (
        "the TLS handshake failed: it accepts none of our ciphers ({reason})",
        "allow the usual ciphers of TLS 1.2 or 1.3 there, or ask its operator",
    )
    NOT_TLS = ("the server does not speak TLS on this port", "check scheme and port of {name_key}")
    OTHER = ("the TLS handshake failed ({reason})", "read the log there, and check the port of {name_key}")

    @property
    def detail(self) -> str:
        """What is said."""
        return self.value[0]

    @property
    def advice(self) -> str:
        """What to do."""
        return self.value[1]


# X509_V_ERR_* of OpenSSL's x509_vfy.h
_OF_CERTIFICATE = {
    **dict.fromkeys((2, 18, 19, 20, 21, 24, 27, 28), TlsFault.UNKNOWN_CA),
    **dict.fromkeys((9, 11, 13), TlsFault.NOT_YET_VALID),
    **dict.fromkeys((10, 12, 14), TlsFault.EXPIRED),
    23: TlsFault.REVOKED,
    **dict.fromkeys((62, 64), TlsFault.WRONG_NAME),
    **dict.fromkeys((66, 67, 68), TlsFault.WEAK),
}
# OpenSSL's names. An alert is the peer's word; everything else is ours. The first pattern that fits decides.
_OF_HANDSHAKE = (
    (r"ALERT_CERTIFICATE_REQUIRED", TlsFault.CLIENT_CERTIFICATE_WANTED),
    (
        r"ALERT_(?:NO|BAD|UNSUPPORTED)_CERTIFICATE|ALERT_CERTIFICATE_\w+|ALERT_UNKNOWN_CA|ALERT_ACCESS_DENIED",
        TlsFault.CLIENT_CERTIFICATE_REFUSED,
    ),
    (r"UNRECOGNIZED_NAME", TlsFault.UNKNOWN_NAME),
    (
        r"PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS_AVAILABLE|VERSION_TOO_LOW|WRONG_SSL_VERSION|INAPPROPRIATE_FALLBACK",
        TlsFault.OLD_PROTOCOL,
    ),
    (r"TOO_SMALL|TOO_WEAK|INSUFFICIENT_SECURITY|WRONG_SIGNATURE_TYPE|LEGACY_SIG", TlsFault.WEAK),
    (r"WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE|HTTP_REQUEST", TlsFault.NOT_TLS),
    (r"HANDSHAKE_FAILURE|NO_SHARED_CIPHER|NO_CIPHERS|UNKNOWN_CIPHER", TlsFault.NO_COMMON_CIPHER),
)


def among(found: Iterable[BaseException]) -> ssl.SSLError | None:
    """Return the fault of TLS among exceptions; that more octets are waited for is none, whatever Python calls it."""
    awaited = (ssl.SSLWantReadError, ssl.SSLWantWriteError)
    return next((one for one in found if isinstance(one, ssl.SSLError) and not isinstance(one, awaited)), None)


def of(error: ssl.SSLError, *, has_client_certificate: bool = False) -> TlsFault:
    """Return what went wrong."""
    if isinstance(error, PinMismatch):
        return TlsFault.RENEWED_WITH_SAME_KEY if error.is_renewal else TlsFault.OTHER_PIN
    if isinstance(error, ssl.SSLCertVerificationError):
        return _OF_CERTIFICATE.get(error.verify_code, TlsFault.REFUSED)
    reason = error.reason or ""
    found = next((fault for pattern, fault in _OF_HANDSHAKE if re.search(pattern, reason)), TlsFault.OTHER)
    # TLS 1.2 has no word of its own for a client certificate that is missing.
    if found is TlsFault.NO_COMMON_CIPHER and getattr(error, "was_asked", False):
        found = TlsFault.CLIENT_CERTIFICATE_REFUSED
    if found is TlsFault.CLIENT_CERTIFICATE_REFUSED and not has_client_certificate:
        return TlsFault.CLIENT_CERTIFICATE_WANTED
    return found


def described(error: ssl.SSLError, peer: Peer) -> tuple[str, str]:
    """Return what happened, and what to do."""
    fault = of(error, has_client_certificate=peer.has_client_certificate)
    words = {
        "reason": _reason(error),
        "name": contexts.server_name(peer.name),
        "name_key": peer.name_key,
        "name_keys": " or ".join(filter(None, (peer.name_key, peer.server_name_key))),
        "pin_key": peer.pin_key,
        **_shown(error),
        "ca_key": peer.ca_key,
        "client_advice": peer.client_advice,
    }
    detail, advice = (text.format(**words) for text in (fault.detail, fault.advice))
    if fault is TlsFault.UNKNOWN_CA and (missing := contexts.missing_roots()):
        advice = f"correct {missing}; or {advice}"
    return detail, advice


def _shown(error: ssl.SSLError) -> dict[str, str]:
    """Return the names of the certificate that the peer had shown, and its fingerprints beside those pinned."""
    found, wanted = shown.by(error), error.wanted if isinstance(error, PinMismatch) else ()
    prints = found.fingerprints if found else Fingerprints("", "")
    return {
        "names": f" (its names: {', '.join(found.names)})" if found and found.names else "",
        "prints": f"the SHA-256 of the certificate is {prints.certificate or 'not to be had'}, that of its key "
        f"{prints.key or 'not to be had'}; pinned: {', '.join(wanted)}",
    }


def _reason(error: ssl.SSLError) -> str:
    """Return OpenSSL's words."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message or str(error.reason)
    return (error.reason or str(error)).replace("_", " ").lower()
