"""A token that a program prints: alone on a line, or as JSON with `access_token` and `expires_in` (RFC 6749, 5.1).

What it prints is never shown. Of its standard error a line is shown, without words that may be secrets.
"""

import json
import re

from mail_sender.relay import program, redaction
from mail_sender.relay.oauth import grant
from mail_sender.relay.oauth.access_token import Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import OAuthConfig
from mail_sender.relay.program import NotStarted, Printed

SECONDS = 30.0
"""For one run of the program; what takes longer is killed, with its children."""

_MOST = 65_536  # octets
_GENERATED = re.compile(r"(?=\S*\d)[\w.~+/=:-]{16,}|[\w.~+/=-]{40,}")
_ADVICE = "run the program of [relay.oauth] command by hand, as the user that mail-sender runs as"
_SHAPE = "have [relay.oauth] command print the token alone, or JSON with access_token and expires_in"


async def ask(config: OAuthConfig) -> Grant:
    """Run the program, and return what it prints. Raises `NoToken`."""
    printed, who = Printed(_MOST, errors=bytearray()), config.place
    try:
        status = await program.run(config.command, printed, SECONDS, variables={})
    except TimeoutError:
        detail = f"{who} did not end within {SECONDS:.0f} s{_said(printed, config)}"
        raise NoToken(TokenFault(detail, _ADVICE, lasting=False)) from None
    except NotStarted as error:
        advice = "correct [relay.oauth] command: a program and its arguments, each a text of its own"
        raise NoToken(TokenFault(f"{who} cannot be started: {error}", advice, lasting=True)) from None
    if status:
        raise NoToken(TokenFault(f"{who} {program.ending(status)}{_said(printed, config)}", _ADVICE, lasting=False))
    return _read(bytes(printed.output), who)


def _read(output: bytes, who: str) -> Grant:
    text = output.decode("utf-8", "replace").strip()
    if not text:
        raise NoToken(TokenFault(f"{who} prints nothing", _SHAPE, lasting=False))
    if text.startswith("{"):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            values = {}
        return grant.granted(values, f"{who} prints", _SHAPE)
    return Grant(grant.usable(text, f"{who} prints", _SHAPE))


def _said(printed: Printed, config: OAuthConfig) -> str:
    """Return what it said on standard error, after a colon."""
    text = bytes(printed.errors or b"").decode("utf-8", "replace")
    secrets = (*(word.get_secret_value() for word in config.command[1:]), *config.secrets)
    shown = _GENERATED.sub("***", redaction.cleaned(text, secrets))
    return f": {shown}" if shown else ""
