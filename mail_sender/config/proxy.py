"""The HTTP proxy on the way to the identity server: HTTPS_PROXY (for http:// HTTP_PROXY) and NO_PROXY."""

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from mail_sender.errors import ConfigFault


def proxy_for(uri: str) -> str | None:
    """Return the URL of the proxy that the environment names for the server at `uri`, or None."""
    parts = urlsplit(uri)
    return None if proxy_bypass(parts.netloc) else getproxies().get(parts.scheme)


def faults(uri: str) -> Iterator[ConfigFault]:
    """Yield a fault if the proxy for `uri` is not an HTTP proxy; the URL is not shown, as it may hold a password."""
    proxy = proxy_for(uri)
    if proxy and not re.fullmatch(r"https?://(?:[^\s/]*@)?[\w.-]+(?::\d{1,5})?/?", proxy):
        expected = "expected http://host:port (SOCKS is not supported), or no variable"
        yield ConfigFault(Path("environment"), None, "HTTPS_PROXY", "is not the URL of an HTTP proxy", expected)
