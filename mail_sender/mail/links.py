"""The links of a mail: addresses of the identity server's pages, made from `instance_url`."""

from functools import lru_cache
from urllib.parse import quote_plus, urlsplit, urlunsplit

from mail_sender.message import IntentId

RESET, REVOKE = "/ui/reset", "/ui/revoke"
"""Paths of Kanidm's pages that use and that cancel a credential reset."""


def link(instance_url: str, path: str, token: IntentId) -> str:
    """Return a page's address: the URL's path is replaced, its query is kept (as Kanidm's own sender does)."""
    return _before_token(instance_url, path) + quote_plus(token)


@lru_cache(maxsize=8)
def _before_token(instance_url: str, path: str) -> str:
    parts = urlsplit(instance_url)
    query = "&".join(part for part in (parts.query, "token=") if part)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
