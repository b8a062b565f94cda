"""How long certificates are good: a peer's, once it has been taken, and our own in its file."""

import ssl
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from mail_sender.tls import contexts, shown

WARN_BEFORE = timedelta(days=21)
"""A certificate should have been renewed by then: ACME clients renew 30 days before the end."""
URGENT_BEFORE = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Certificate:
    """When the first certificate of a verified chain ends, and whether that is a CA's and not the peer's own.

    Where `is_pinned` is true, there is no chain, and the certificate is taken after its end as well.
    """

    ends: datetime
    is_ca: bool = False
    is_pinned: bool = False

    def __str__(self) -> str:
        """Say whose it is, and on which day it ends."""
        whose = "a CA's certificate in its chain" if self.is_ca else "its certificate"
        return f"{whose} is valid until {self.ends:%Y-%m-%d}"


def of(connection: ssl.SSLObject | None) -> Certificate | None:
    """Return that of a connection's peer; None without TLS, and where neither chain nor pin is asked for."""
    if connection is None:
        return None
    if contexts.is_pinned(connection.context):
        return Certificate(_end(shown.leaf_of(connection).get_info()), is_pinned=True)
    if not (own := connection.getpeercert()):
        return None
    # Public from Python 3.13 on, but without the dates.
    chain = connection._sslobj.get_verified_chain()  # type: ignore[attr-defined]  # noqa: SLF001 - as above
    return _first_to_end(own, (one.get_info() for one in chain))


def of_file(path: Path) -> Certificate | None:
    """Return that of our own, which stands first in its PEM file; None if it cannot be read."""
    decode = ssl._ssl._test_decode_cert  # type: ignore[attr-defined]  # noqa: SLF001 - ssl shows the dates of no other
    try:
        return Certificate(_end(decode(str(path))))
    except (OSError, ValueError, KeyError):  # ssl.SSLError is an OSError
        return None


def _first_to_end(own: Mapping[str, Any], chain: Iterable[Mapping[str, Any]]) -> Certificate:
    first = Certificate(_end(own))
    others = (Certificate(_end(one), is_ca=True) for one in chain)
    return min(first, *others, key=lambda one: (one.ends, one.is_ca))


def _end(certificate: Mapping[str, Any]) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(certificate["notAfter"]), UTC)
