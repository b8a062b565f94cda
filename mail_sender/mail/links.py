"""The links of a mail: addresses of the identity server's pages, made from `instance_url`."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from mail_sender.message import IntentId

RESET, REVOKE = "/ui/reset", "/ui/revoke"
"""Paths of Kanidm's pages that use and that cancel a credential reset."""


def link(instance_url: str, path: str, token: IntentId) -> str:
    """Return a page's address: the URL's path is replaced, its query is kept (as Kanidm's own sender does)."""
    parts = urlsplit(instance_url)
    query = "&".join(part for part in (parts.query, urlencode({"token": token})) if part)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))
