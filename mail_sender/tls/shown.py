"""What a peer shows of itself in a handshake, also if that fails because its certificate is not trusted.

Nothing of it is verified: whoever is in between shows what he likes.
"""

import re
import ssl
from dataclasses import dataclass
from typing import Any

from mail_sender.tls import fingerprint
from mail_sender.tls.fingerprint import Fingerprints

_NAME = re.compile(r"[A-Za-z0-9*._:-]{1,100}")
_MOST_NAMES = 4


@dataclass(frozen=True, slots=True)
class Shown:
    """A peer's own certificate: its fingerprints, and the first names and addresses that it is for."""

    fingerprints: Fingerprints
    names: tuple[str, ...]


def of(connection: ssl.SSLObject) -> Shown | None:
    """Return what the peer of a connection has shown by now, None if there was no certificate."""
    if (leaf := leaf_of(connection)) is None:
        return None
    encoding = ssl._ssl.ENCODING_DER  # type: ignore[attr-defined]  # noqa: SLF001 - `leaf_of` has no other kind
    names = [str(name) for _, name in leaf.get_info().get("subjectAltName", ())]
    plain = [name for name in names if _NAME.fullmatch(name)]
    return Shown(fingerprint.of(leaf.public_bytes(encoding)), tuple(plain[:_MOST_NAMES]))


def by(error: BaseException) -> Shown | None:
    """Return what the peer had shown in the handshake that ended with an error, if anything."""
    found = getattr(error, "shown", None)
    return found if isinstance(found, Shown) else None


def leaf_of(connection: ssl.SSLObject) -> Any:
    """Return the peer's own certificate, as `ssl` keeps it (with `get_info`), or None."""
    # Public from Python 3.13 on, but without the dates. `getpeercert` gives nothing before the handshake is over, and
    # nothing but octets where the certificate was not verified.
    chain = connection._sslobj.get_unverified_chain()  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    return chain[0] if chain else None
