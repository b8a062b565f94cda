"""The identity of a stub since its first start: keys, account ids, tokens and passwords, kept in one file.

`identity.json` is written once. `tokens.json`, which people and tests read, is a copy of its tokens, made at
each start.
"""

from __future__ import annotations

import json
import secrets
import uuid
from dataclasses import asdict, dataclass

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from server_stub.folder.directory import Directory
from server_stub.folder.files import corrupt, read_json, write_atomically
from server_stub.identity.accounts import ADMIN, IDM_ADMIN_UUID, OUTSIDER, SENDER, Account, Role, spn
from server_stub.identity.tokens import Keyring

DAY = 86_400
LONG = 3650 * DAY
RELAY_LOGIN = "mail-sender"


@dataclass(frozen=True)
class Identity:
    """The content of `identity.json`; every field is text."""

    hs256_secret: str
    es256_key: str
    sender_uuid: str
    outsider_uuid: str
    cid: str
    readwrite: str
    readonly: str
    outsider: str
    expired: str
    admin: str
    idm_admin_password: str
    relay_password: str

    def keyring(self) -> Keyring:
        """Return the signing keys. Raises ValueError if they are not keys."""
        private = serialization.load_pem_private_key(self.es256_key.encode(), password=None)
        if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
            raise TypeError
        return Keyring(bytes.fromhex(self.hs256_secret), private)

    def accounts(self) -> dict[str, Account]:
        """Return the accounts by uuid."""
        known = ((SENDER, self.sender_uuid), (OUTSIDER, self.outsider_uuid), (ADMIN, IDM_ADMIN_UUID))
        return {key: Account(role, key, self.cid) for role, key in known}

    def tokens(self) -> dict[str, str]:
        """Return the content of `tokens.json`."""
        roles = ("readwrite", "readonly", "outsider", "expired", "admin", "idm_admin_password")
        return {role: getattr(self, role) for role in roles}


def ensure(directory: Directory, now: int) -> Identity:
    """Return the kept identity, or make one; `now` is in unix seconds. Raises StubError if the file is corrupt."""
    if directory.identity.exists():
        return _load(directory)
    identity = _make(now)
    write_atomically(directory.identity, json.dumps(asdict(identity), indent=2))
    return identity


def _load(directory: Directory) -> Identity:
    content = read_json(directory.identity)
    if not all(isinstance(value, str) for value in content.values()):
        raise corrupt(directory.identity, "a value is not text")
    try:
        identity = Identity(**{key: str(value) for key, value in content.items()})
        identity.keyring()
        json.dumps(content, ensure_ascii=False).encode()  # half a character can stand in no configuration file
    except (TypeError, ValueError, UnsupportedAlgorithm) as error:
        raise corrupt(directory.identity, "a key or a value is missing, unknown or damaged") from error
    return identity


def _make(now: int) -> Identity:
    keyring = Keyring(secrets.token_bytes(32), ec.generate_private_key(ec.SECP256R1()))
    sender, outsider = str(uuid.uuid4()), str(uuid.uuid4())
    return Identity(
        hs256_secret=keyring.secret.hex(),
        es256_key=_pem(keyring.private),
        sender_uuid=sender,
        outsider_uuid=outsider,
        cid=f"{now * 10**9:032}-{uuid.uuid4()}",
        readwrite=keyring.sign_for_service(api_payload(sender, "readwrite", "readwrite", now)),
        readonly=keyring.sign_for_service(api_payload(sender, "readonly", "readonly", now)),
        outsider=keyring.sign_for_service(api_payload(outsider, "outsider", "readwrite", now)),
        expired=keyring.sign_for_service(api_payload(sender, "expired", "readwrite", now - 2 * DAY, now - DAY)),
        admin=keyring.sign_for_person(user_payload(ADMIN, IDM_ADMIN_UUID, now)),
        idm_admin_password=secrets.token_urlsafe(18),
        relay_password=secrets.token_urlsafe(18),
    )


def api_payload(account: str, label: str, purpose: str, issued: int, expiry: int | None = None) -> dict[str, object]:
    """Return a service account's payload, times in unix seconds (docs/kanidm-wire.md, Authentication)."""
    return {
        "account_id": account,
        "token_id": str(uuid.uuid4()),
        "label": label,
        "expiry": expiry,
        "issued_at": issued,
        "purpose": purpose,
    }


def user_payload(role: Role, account: str, issued: int, expiry: int | None = None) -> dict[str, object]:
    """Return a person's payload (docs/kanidm-wire.md, Login); times in unix seconds, an `expiry` of None is never.

    The right to write lasts as long as the token. It needs an end in any case: without one, `kanidm` takes it for a
    right that is not there and asks for the password again.
    """
    return {
        "session_id": str(uuid.uuid4()),
        "issued_at": issued,
        "expiry": expiry,
        "purpose": {"readwrite": {"expiry": expiry or issued + LONG}},
        "uuid": account,
        "displayname": role.displayname,
        "spn": spn(role.name),
        "ui_hints": [],
    }


def _pem(key: ec.EllipticCurvePrivateKey) -> str:
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, form, plain).decode()
