"""The login at the relay (RFC 4954): the mechanisms, what is said in each, and which refusals lead to the next one.

A wrong password is said once: a second try could lock the account. Only a relay that refuses the mechanism itself is
asked for the next one. PLAIN (RFC 4616) goes before LOGIN, and CRAM-MD5 (RFC 2195) last, because relays can do it
only with passwords that they keep in the clear. With a token, XOAUTH2 goes before OAUTHBEARER: it is what providers
document.
"""

import base64
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from aiosmtplib.auth import auth_crammd5_verify

from mail_sender.relay.config import RelayConfig
from mail_sender.relay.oauth import bearer
from mail_sender.verdict import Reply

LONGEST_COMMAND = 510
"""Octets of a command, without its line end (RFC 5321, section 4.5.3.1.4)."""

_REFUSES_MECHANISM = frozenset({500, 502, 504, 534, 538})
_NAMES_MECHANISM = re.compile(r"\bmechanism|\bauth\w* (type|method)", re.IGNORECASE)


class NoLogin(Exception):
    """The relay offers no login, or none of our kinds; the text lists what it offers."""


@dataclass(frozen=True, slots=True)
class Mechanism:
    """One way to log in: each response is made of the text of the 334 before it.

    `name` is in lower case. Where `begins` is true, the first response needs no challenge, and may stand in the
    command itself. A 334 in place of the end holds an error, to which the answer is `end_of_error`, if that is set.
    """

    name: str
    responses: tuple[Callable[[str], str], ...]
    begins: bool = False
    end_of_error: str | None = None

    def command(self) -> tuple[str, tuple[Callable[[str], str], ...]]:
        """Return what is said first, and the responses that remain."""
        line = f"AUTH {self.name.upper()}"
        if self.begins:
            whole = f"{line} {self.responses[0]('')}"
            if len(whole) <= LONGEST_COMMAND:
                return whole, self.responses[1:]
        return line, self.responses


def mechanisms(offered: Sequence[str], first: str | None, username: str, password: str) -> list[Mechanism]:
    """Return the mechanisms of the relay's that we can do, in the order in which they are to be tried.

    `offered` are in lower case; `first` is the one that worked before.
    """
    ours = (
        Mechanism("plain", (lambda _: _plain(username, password),), begins=True),
        Mechanism("login", (lambda _: _base64(username), lambda _: _base64(password))),
        Mechanism("cram-md5", (lambda challenge: auth_crammd5_verify(username, password, challenge).decode(),)),
    )
    return _offered(ours, offered, first)


def with_token(offered: Sequence[str], first: str | None, config: RelayConfig, token: str) -> list[Mechanism]:
    """Return the same for a login with an access token."""
    user = config.username or ""
    ours = (
        _of_token("xoauth2", bearer.xoauth2(user, token)),
        _of_token("oauthbearer", bearer.oauthbearer(user, token, config.host, config.port)),
    )
    return _offered(ours, offered, first)


def _of_token(name: str, response: str) -> Mechanism:
    return Mechanism(name, (lambda _: response,), begins=True, end_of_error=bearer.END_OF_ERROR[name])


def _offered(ours: Sequence[Mechanism], offered: Sequence[str], first: str | None) -> list[Mechanism]:
    found = [mechanism for mechanism in ours if mechanism.name in offered]
    return sorted(found, key=lambda mechanism: mechanism.name != first)


def refuses_mechanism(reply: Reply) -> bool:
    """Say whether a reply refuses the mechanism, and not the login: then the password was not looked at.

    A 535 is always about the login. Google's 534 is, too ("application-specific password required", "log in with your
    web browser").
    """
    if reply.code < 500 or reply.code == 535 or any(word in reply.text.lower() for word in ("password", "browser")):
        return False
    return reply.code in _REFUSES_MECHANISM or _NAMES_MECHANISM.search(reply.text) is not None


def refuses_token(reply: Reply) -> bool:
    """Say whether a reply refuses the access token, so that another one may be taken: 535, and nothing else."""
    return reply.code == 535


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
