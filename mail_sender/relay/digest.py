"""The name of a relay and its login among senders that share a ledger: a digest that tells nothing of either.

A login that was refused is another one after its password was corrected. So the password is part of what is digested,
under a key that the ledger has not got: the token of the identity server. Nobody who reads the ledger alone can try
passwords against it. Senders with the same token and the same login have the same name for a relay.
"""

import hashlib
import hmac
import json

from mail_sender.names.secret import Secret
from mail_sender.relay.config import RelayConfig


def of(relay: RelayConfig, key: Secret) -> str:
    """Return the digest, in hex."""
    parts = [relay.host.lower(), relay.port, relay.username, _text(relay.password)]
    if (oauth := relay.oauth) is not None:
        secrets = [*oauth.secrets, *(_text(part) for part in oauth.command)]
        parts += [oauth.flow, oauth.token_url, oauth.client_id, oauth.mailbox, *secrets]
    message = json.dumps(parts)  # ASCII, so that any text has one form
    return hmac.new(json.dumps(_text(key)).encode(), message.encode(), hashlib.sha256).hexdigest()


def _text(secret: Secret | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
