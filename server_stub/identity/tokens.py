"""Compact JWS tokens (RFC 7515), signed and verified.

Service accounts get HS256 tokens, a person's login an ES256 one (docs/kanidm-wire.md, Authentication). The id of
a login that has begun is signed with HS256, too. The `kid` of each is derived from its key, so that a key and its
tokens stay together.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

HALF = 32  # bytes of r and of s in an ES256 signature (RFC 7518 section 3.4)
ES256 = ec.ECDSA(hashes.SHA256())


def encode_part(data: bytes) -> str:
    """Return base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode_part(text: str) -> bytes:
    """Undo `encode_part`. Raises ValueError for any other spelling of the same octets."""
    data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    if encode_part(data) != text:
        raise ValueError("not as it is written")
    return data


@dataclass(frozen=True)
class Keyring:
    """The domain's two signing keys."""

    secret: bytes
    private: ec.EllipticCurvePrivateKey

    @property
    def secret_id(self) -> str:
        """The `kid` of service accounts' tokens."""
        return hashlib.sha256(b"kid" + self.secret).hexdigest()[:12]

    @property
    def private_id(self) -> str:
        """The `kid` of user tokens."""
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        public = self.private.public_key().public_bytes(serialization.Encoding.DER, form)
        return hashlib.sha256(public).hexdigest()[:12]

    def sign_for_service(self, payload: dict[str, object]) -> str:
        """Return an HS256 token."""
        signed = _signed_part({"alg": "HS256", "kid": self.secret_id}, payload)
        return f"{signed}.{encode_part(self._mac(signed))}"

    def sign_for_person(self, payload: dict[str, object]) -> str:
        """Return an ES256 token."""
        signed = _signed_part({"alg": "ES256", "kid": self.private_id}, payload)
        r, s = decode_dss_signature(self.private.sign(signed.encode(), ES256))
        return f"{signed}.{encode_part(r.to_bytes(HALF, 'big') + s.to_bytes(HALF, 'big'))}"

    def sign_session(self, session: str) -> str:
        """Return the id of a login that has begun as an HS256 token, whose payload is that text and no object."""
        signed = _signed_part({"alg": "HS256", "kid": self.secret_id}, session)
        return f"{signed}.{encode_part(self._mac(signed))}"

    def public_jwk(self) -> dict[str, str]:
        """Return the public key of people's tokens (RFC 7517), which GET /v1/jwk/{kid} shows."""
        point = self.private.public_key().public_numbers()
        x, y = (encode_part(number.to_bytes(HALF, "big")) for number in (point.x, point.y))
        key = {"kty": "EC", "crv": "P-256", "x": x, "y": y}
        return key | {"alg": "ES256", "use": "sig", "kid": self.private_id}

    def verify(self, token: str) -> dict[str, object] | None:
        """Return the payload of a token that one of these keys signed, else None."""
        payload = self._open(token)
        return payload if isinstance(payload, dict) else None

    def read_session(self, token: str) -> str | None:
        """Return the id that `sign_session` signed, else None."""
        payload = self._open(token)
        return payload if isinstance(payload, str) else None

    def _open(self, token: str) -> object:
        try:
            signed, _, signature = token.rpartition(".")
            header, payload = (json.loads(decode_part(part)) for part in signed.split("."))
            genuine = self._is_genuine(header, signed, decode_part(signature))
        except (ValueError, AttributeError, RecursionError):
            return None
        return payload if genuine else None

    def _is_genuine(self, header: dict[str, object], signed: str, signature: bytes) -> bool:
        match header.get("alg"), header.get("kid"):
            case "HS256", self.secret_id:
                return hmac.compare_digest(self._mac(signed), signature)
            case "ES256", self.private_id:
                return self._is_ours(signed, signature)
        return False

    def _is_ours(self, signed: str, signature: bytes) -> bool:
        r, s = (int.from_bytes(half, "big") for half in (signature[:HALF], signature[HALF:]))
        try:
            self.private.public_key().verify(encode_dss_signature(r, s), signed.encode(), ES256)
        except InvalidSignature:
            return False
        return True

    def _mac(self, signed: str) -> bytes:
        return hmac.digest(self.secret, signed.encode(), "sha256")


def _signed_part(header: dict[str, object], payload: object) -> str:
    parts = (json.dumps(part, separators=(",", ":")).encode() for part in (header, payload))
    return ".".join(encode_part(part) for part in parts)
