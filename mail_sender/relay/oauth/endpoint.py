"""Asks a token endpoint for an access token (RFC 6749, sections 4.4 and 6; RFC 7523, section 2.1)."""

from datetime import UTC, datetime
from urllib.parse import urlencode

from mail_sender.names.secret import Secret
from mail_sender.relay.oauth import assertion, grant
from mail_sender.relay.oauth.access_token import Grant, NoToken, TokenFault
from mail_sender.relay.oauth.config import Flow, OAuthConfig
from mail_sender.web import post
from mail_sender.web.post import Limits, NotPosted, Target

SECONDS = 30.0
"""For connection, question and answer together."""
LONGEST_ANSWER = 65_536
"""Octets."""

_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_HEADERS = {"content-type": "application/x-www-form-urlencoded", "accept": "application/json"}


async def ask(config: OAuthConfig, refresh_token: Secret | None) -> Grant:
    """Return what the endpoint grants; `refresh_token` is the newest one. Raises `NoToken`."""
    form = _form(config, refresh_token)
    target = Target(
        Secret(config.token_url),
        config.place,
        "[relay.oauth] token_url",
        "[relay.oauth] ca_path",
        config.ca_path,
        config.proxy,
    )
    try:
        answer = await post.post(target, urlencode(form).encode(), _HEADERS, Limits(SECONDS, LONGEST_ANSWER))
    except NotPosted as error:
        raise NoToken(TokenFault(error.detail, error.advice, error.is_lasting)) from None
    said = (*config.secrets, *(form[name] for name in ("refresh_token", "assertion") if name in form))
    return grant.read(answer, config, said)


def _form(config: OAuthConfig, refresh_token: Secret | None) -> dict[str, str]:
    if config.flow is Flow.SERVICE_ACCOUNT:
        assert config.account is not None  # noqa: S101 - the configuration gives this flow an account
        return {"grant_type": _JWT_BEARER, "assertion": assertion.signed(config, config.account, datetime.now(UTC))}
    form = {"grant_type": config.flow.value, "client_id": config.client_id}
    if config.client_secret is not None:
        form["client_secret"] = config.client_secret.get_secret_value()
    if config.flow is Flow.REFRESH_TOKEN and refresh_token is not None:
        form["refresh_token"] = refresh_token.get_secret_value()
    if config.scope:
        form["scope"] = config.scope
    return form
