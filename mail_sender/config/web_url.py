"""A URL of the web (RFC 3986), as a key has it: its host may hold any script, and no character is out of place."""

from urllib.parse import urlsplit, urlunsplit

from mail_sender.names import hostname
from mail_sender.names.characters import code_point, is_invisible

_NOT_IN_A_URL = ' "<>\\^`{|}'  # RFC 3986, section 2


class BadUrl(ValueError):
    """The text is no URL; the message says why, without repeating it."""


def with_ascii_host(text: str) -> str:
    """Return the URL with its host in ASCII, as DNS has it.

    Raises `BadUrl` and `hostname.BadHostName`, which say what is wrong, and ValueError where it is no URL of the web.
    """
    parts = urlsplit(text)
    login, at, place = parts.netloc.rpartition("@")
    # `parts.hostname` is in lower case, for which Python makes another sigma at a word's end than IDNA does.
    host = place[: place.find("]") + 1] if place.startswith("[") else place.partition(":")[0]
    if parts.scheme not in {"http", "https"} or not host or parts.port == 0:
        raise ValueError("not a URL of the web")
    if host.lower() in {"http", "https"}:
        raise BadUrl("its scheme stands there twice")
    name = host if host.startswith("[") else hostname.to_ascii(host)
    around = text.replace(host, "", 1)
    if odd := next((char for char in around if is_invisible(char) or char in _NOT_IN_A_URL), ""):
        shown_odd = code_point(odd) if odd == " " or is_invisible(odd) else odd
        raise BadUrl(f"it holds {shown_odd}, which no URL may have")
    return text if name == host else urlunsplit(parts._replace(netloc=f"{login}{at}{name}{place[len(host) :]}"))
