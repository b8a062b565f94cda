"""A service account's word for itself: a JSON Web Token, signed with RS256 (RFC 7515; RFC 7518; RFC 7523).

The library for it, cryptography, is an extra (`mail-sender[service-account]`), and loaded only here.
"""

import base64
import importlib.util
import json
from datetime import datetime

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth.config import OAuthConfig, ServiceAccount

LIFE = 3600
"""Seconds; Google takes no longer one."""
EXTRA = "mail-sender[service-account]"


class BadKey(ValueError):
    """The service account's key cannot be used; the message says why, and never repeats it."""


def is_possible() -> bool:
    """Say whether the library is there."""
    return importlib.util.find_spec("cryptography") is not None


def check(key: Secret) -> None:
    """Raise `BadKey` if the key cannot sign."""
    _signature(key, b"")


def signed(config: OAuthConfig, account: ServiceAccount, now: datetime) -> str:
    """Return an assertion that begins to be good now. Raises `BadKey`."""
    header = {"alg": "RS256", "typ": "JWT"} | ({"kid": account.key_id} if account.key_id else {})
    issued = int(now.timestamp())
    claims: dict[str, str | int] = {
        "iss": account.email,
        "sub": config.mailbox,
        "scope": config.scope,
        "aud": config.token_url,
    }
    claims |= {"iat": issued, "exp": issued + LIFE}
    text = ".".join(_base64(json.dumps(part, separators=(",", ":")).encode()) for part in (header, claims))
    return f"{text}.{_base64(_signature(account.key, text.encode()))}"


def _signature(key: Secret, text: bytes) -> bytes:
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - an extra, and 16 MB
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import padding, rsa  # noqa: PLC0415 - as above

    try:
        loaded = serialization.load_pem_private_key(key.get_secret_value().encode(), password=None)
    except TypeError:
        raise BadKey("its private_key is encrypted") from None
    except (ValueError, UnsupportedAlgorithm):
        raise BadKey("its private_key is no PEM of a private key") from None
    if not isinstance(loaded, rsa.RSAPrivateKey):
        raise BadKey("its private_key is not an RSA key")
    return loaded.sign(text, padding.PKCS1v15(), hashes.SHA256())


def _base64(octets: bytes) -> str:
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")
