"""Reads what a token endpoint answers (RFC 6749, section 5), whatever it is."""

import json
import re
from collections.abc import Mapping

from mail_sender.names.secret import Secret
from mail_sender.relay import redaction
from mail_sender.relay.oauth import refusals
from mail_sender.relay.oauth.access_token import UNKNOWN_LIFE, Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import OAuthConfig
from mail_sender.web.headers import retry_after
from mail_sender.web.post import Answer

LONGEST_TOKEN = 9_000
"""Characters: in base64 it must fit into a line of a login (RFC 4954, section 4: 12288 octets)."""

_LONGEST_LIFE = 86_400.0 * 30
_TOKEN = re.compile(r"[\x21-\x7e]+")
_PASSES = frozenset({"temporarily_unavailable", "server_error", "slow_down"})
_SHOWN = 160  # characters of a description that is not known
_WRONG_PLACE = "check [relay.oauth] token_url, and tenant"


def read(answer: Answer, config: OAuthConfig, said: tuple[str, ...]) -> Grant:
    """Return the grant of an answer; `said` are secrets that it may repeat. Raises `NoToken`."""
    values = _json(answer.body)
    if answer.status == 200:
        return granted(values, f"{config.place} answers 200 with", _WRONG_PLACE)
    raise NoToken(_refused(answer, values, config, said))


def granted(values: Mapping[str, object], who: str, advice: str) -> Grant:
    """Return the grant that JSON holds. Raises `NoToken`, which begins with `who`."""
    token, kind = values.get("access_token"), values.get("token_type")
    if not isinstance(token, str) or not token:
        raise NoToken(TokenFault(f"{who} something that holds no access_token", advice, lasting=False))
    if isinstance(kind, str) and kind.lower() != "bearer":
        detail = f"{who} a token of another type than Bearer, which no relay takes"
        raise NoToken(TokenFault(detail, advice, lasting=True))
    refresh = values.get("refresh_token")
    new = Secret(refresh) if isinstance(refresh, str) and _is_token(refresh) else None
    return Grant(usable(token, who, advice), _seconds(values.get("expires_in")), new)


def usable(token: str, who: str, advice: str) -> Secret:
    """Return a token that can be said to a relay. Raises `NoToken`."""
    if not _is_token(token):
        detail = f"{who} a token of {len(token)} characters that cannot be said to a relay"
        raise NoToken(TokenFault(detail, advice, lasting=True))
    return Secret(token)


def _is_token(text: str) -> bool:
    return len(text) <= LONGEST_TOKEN and _TOKEN.fullmatch(text) is not None


def _seconds(value: object) -> float:
    """Return a token's life; some endpoints write it as a text."""
    try:
        seconds = float(value) if isinstance(value, int | float | str) and not isinstance(value, bool) else 0.0
    except (ValueError, OverflowError):
        return UNKNOWN_LIFE
    return min(seconds, _LONGEST_LIFE) if seconds > 0 else UNKNOWN_LIFE


def _json(body: bytes) -> Mapping[str, object]:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _refused(answer: Answer, values: Mapping[str, object], config: OAuthConfig, said: tuple[str, ...]) -> TokenFault:
    who, status = config.place, answer.status
    error, description = (_text(values.get(key)) for key in ("error", "error_description"))
    if status // 100 == 3:
        detail = f"{who} answers {status}, a redirect, which is not followed: secrets would go along"
        return TokenFault(detail, "write the URL that it leads to into [relay.oauth] token_url", lasting=True)
    if status in {408, 429} or status >= 500 or error in _PASSES:
        detail = f"{who} answers {status}{f' {error}' if error in _PASSES else ''}"
        advice = "this usually passes by itself: tried again"
        return TokenFault(detail, advice, lasting=False, retry_after=retry_after(answer.headers))
    if not error:
        return TokenFault(f"{who} answers {status}, and not as a token endpoint", _WRONG_PLACE, lasting=True)
    known = refusals.known(config.flow, error, description)
    if known is not None:
        return TokenFault(f"{who} answers {known.name}: {known.said}", known.advice, lasting=not known.passes)
    shown = redaction.cleaned(f"{error}: {description}" if description else error, said, most=_SHOWN)
    return TokenFault(f"{who} answers {status} {shown}", refusals.ADVICE, lasting=True)


def _text(value: object) -> str:
    return value[: redaction.LONGEST_READ] if isinstance(value, str) else ""
