"""The login at the relay (RFC 4954): the mechanism, the commands, and the secrets in them that must never be shown.

One mechanism is tried, once: a second try could lock the account. PLAIN (RFC 4616) goes before LOGIN.
"""

import base64
from collections.abc import Collection

from mail_sender.relay.config import RelayConfig


class NoLogin(Exception):
    """The relay offers no login, or none of our kinds; the text lists what it offers."""


def commands(mechanisms: Collection[str], username: str, password: str) -> tuple[tuple[str, int], ...]:
    """Return what is to be said, each with the reply that it needs: a code, or a code's first digit.

    `mechanisms` are the relay's, in lower case. Raises `NoLogin`.
    """
    if "plain" in mechanisms:
        return ((f"AUTH PLAIN {_plain(username, password)}", 2),)
    if "login" in mechanisms:
        return (("AUTH LOGIN", 334), (_base64(username), 334), (_base64(password), 2))
    raise NoLogin(", ".join(mechanisms).upper() or "no AUTH at all")


def secrets(config: RelayConfig) -> tuple[str, ...]:
    """Return what a relay must not be quoted with: the password, also as it is said."""
    if config.username is None or config.password is None:
        return ()
    password = config.password.get_secret_value()
    return _plain(config.username, password), _base64(password), password


def _plain(username: str, password: str) -> str:
    return _base64(f"\0{username}\0{password}")


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
