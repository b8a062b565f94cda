"""A service account's assertion: signed with RS256, with the claims that Google documents."""

import base64
import json
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import assertion
from mail_sender.relay.oauth.assertion import BadKey
from mail_sender.relay.oauth.config import Flow, OAuthConfig, ServiceAccount

NOW = datetime(2026, 11, 30, 12, 0, tzinfo=UTC)
CONFIG = OAuthConfig(
    Flow.SERVICE_ACCOUNT,
    token_url="https://oauth2.googleapis.com/token",
    scope="https://mail.google.com/",
    mailbox="idm@example.com",
)


def pem(key: PrivateKeyTypes, password: bytes | None = None) -> str:
    encryption = serialization.BestAvailableEncryption(password) if password else serialization.NoEncryption()
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, encryption).decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_assertion_holds_the_claims_and_its_signature_is_good() -> None:
    """Issuer, mailbox, scope, endpoint, one hour."""
    key = rsa.generate_private_key(65537, 2048)
    account = ServiceAccount("mail@project.iam.gserviceaccount.com", Secret(pem(key)), "key-1")
    header, claims, signature = assertion.signed(CONFIG, account, NOW).split(".")
    assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "key-1"}
    assert json.loads(decoded(claims)) == {
        "iss": "mail@project.iam.gserviceaccount.com",
        "sub": "idm@example.com",
        "scope": "https://mail.google.com/",
        "aud": "https://oauth2.googleapis.com/token",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 3600,
    }
    key.public_key().verify(decoded(signature), f"{header}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("no key at all", "no PEM"),
        (pem(ec.generate_private_key(ec.SECP256R1())), "not an RSA key"),
        (pem(ec.generate_private_key(ec.SECP256R1()), b"secret"), "encrypted"),
    ],
)
def test_a_key_that_cannot_sign_is_refused_without_being_shown(text: str, why: str) -> None:
    """Somebody pasted half of it, or another kind of key."""
    with pytest.raises(BadKey, match=why) as raised:
        assertion.check(Secret(text))
    assert text not in str(raised.value)
