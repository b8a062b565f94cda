"""The HTTP proxy on the way to the identity server, from the environment, as curl reads it.

HTTPS_PROXY (for http:// HTTP_PROXY) names the proxy; without a scheme it is an HTTP proxy.
NO_PROXY is a list, with commas or spaces between. Each entry is one of these, with a `:port` behind it or without:

    *                         no proxy at all
    example.com .example.com  the domain and all names in it
    *.example.com             all names in it
    192.0.2.1 [2001:db8::1]   an address
    10.0.0.0/8 2001:db8::/32  a network
"""

import ipaddress
import re
from collections.abc import Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies

from mail_sender.config.origin import ENVIRONMENT
from mail_sender.errors import ConfigFault
from mail_sender.names import hostname
from mail_sender.source.config import DEFAULT_PORTS

_PROXY = re.compile(
    r"(?P<scheme>https?)://(?P<login>[^\s/]*@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^\s:/@\[\]]+)(?::(?P<port>\d{1,5}))?/?",
    re.IGNORECASE,
)
_ENTRY = re.compile(r"(?:\[(?P<bracketed>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::(?P<port>\d+))?")


class BadProxy(ValueError):
    """The environment names a proxy that cannot be used; the message does not repeat it."""


def proxy_for(uri: str) -> str | None:
    """Return the URL of the proxy that the environment names for the server at `uri`, or None. Raises `BadProxy`."""
    parts = urlsplit(uri)
    known = getproxies()
    text = known.get(parts.scheme, "").strip()
    if not text or _is_exempt(parts.hostname or "", parts.port or DEFAULT_PORTS[parts.scheme], known.get("no", "")):
        return None
    return _url(text)


def faults(uri: object) -> Iterator[ConfigFault]:
    """Yield a fault if the proxy for `uri` is not an HTTP proxy; the URL is not shown, as it may hold a password.

    `uri` is taken as it stands in a file: what is no URL of the web has a fault of its own, and none here.
    """
    if not isinstance(uri, str):
        return
    try:
        if urlsplit(uri).scheme in DEFAULT_PORTS:
            proxy_for(uri)
    except BadProxy as error:
        expected = "expected http://host:port (SOCKS is not supported), or no variable"
        yield ConfigFault(ENVIRONMENT, None, f"{urlsplit(uri).scheme.upper()}_PROXY", str(error), expected)
    except ValueError:  # no URL, or no port
        return


def _url(text: str) -> str:
    match = _PROXY.fullmatch(text if "://" in text else f"http://{text}")
    if match is None or int(match["port"] or 1) not in range(1, 65536):
        raise BadProxy("is not the URL of an HTTP proxy")
    host = match["host"]
    try:
        name = host if host.startswith("[") else hostname.to_ascii(host)
    except hostname.BadHostName as error:
        raise BadProxy(f"is not the URL of an HTTP proxy ({error})") from None
    port = f":{match['port']}" if match["port"] else ""
    return f"{match['scheme'].lower()}://{match['login'] or ''}{name}{port}"


def _is_exempt(host: str, port: int, no_proxy: str) -> bool:
    return any(_fits(entry, host.rstrip(".").lower(), port) for entry in re.split(r"[,\s]+", no_proxy) if entry)


def _fits(entry: str, host: str, port: int) -> bool:
    place, wanted = _split(entry)
    if wanted is not None and wanted != port:
        return False
    if place == "*":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _fits_name(place, host)
    try:
        return address in ipaddress.ip_network(place, strict=False)
    except ValueError:
        return False


def _split(entry: str) -> tuple[str, int | None]:
    """Return a name, an address or a network, and the port behind it."""
    match = _ENTRY.fullmatch(entry)
    if match is None:  # an IPv6 address or network without brackets
        return entry.replace("[", "").replace("]", ""), None
    place = match["bracketed"] if match["name"] is None else match["name"]
    return place, int(match["port"]) if match["port"] else None


def _fits_name(place: str, host: str) -> bool:
    suffix = place.removeprefix("*").lstrip(".")
    try:
        domain = hostname.to_ascii(suffix).rstrip(".").lower()
        host = hostname.to_ascii(host)  # of a URL as it stands in a file
    except hostname.BadHostName:
        return False
    return host.endswith(f".{domain}") or (host == domain and not place.startswith("*"))
