"""Pins: the fingerprints of which a peer's certificate must have one, in place of a chain and of a name.

Whoever has the private key of a pinned certificate is trusted, and nobody else: no CA is asked, no name, and no date.
"""

import ssl
from collections.abc import Collection

from mail_sender.tls.shown import Shown


class PinMismatch(ssl.SSLCertVerificationError):
    """A peer's certificate has none of the pins (`shown.by` gives what it showed), or it showed none.

    `is_renewal` says that an earlier certificate, which had one of the pins, had the same key.
    """

    reason = "PIN_MISMATCH"  # this, and the next two, as OpenSSL's errors have them
    verify_code = 0
    verify_message = "it has none of the pins"

    def __init__(self, wanted: Collection[str], *, is_renewal: bool) -> None:
        super().__init__(self.verify_message)
        self.wanted = tuple(wanted)
        self.is_renewal = is_renewal


class Pins:
    """The pins of one peer, as 64 hexadecimal digits each, and the key of the certificate that had one last."""

    def __init__(self, wanted: Collection[str]) -> None:
        self._wanted = frozenset(wanted)
        self._last_key = ""

    def check(self, shown: Shown | None) -> None:
        """Take in a certificate that the peer has shown. Raises `PinMismatch`."""
        key = shown.fingerprints.key if shown else ""
        if shown and {shown.fingerprints.certificate, key} & self._wanted:
            self._last_key = key
            return
        raise PinMismatch(sorted(self._wanted), is_renewal=key != "" and key == self._last_key)
