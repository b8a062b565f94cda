"""The secrets of a configuration: what no fault, no warning and no log may show.

1. `known` are those that stand where secrets belong, as they are written there, whatever else is wrong with the file.
2. `without_likely` is for texts that stand elsewhere, and `shown_path` for paths: a generated token, key or password
   looks like nothing else that a configuration holds. A password that is an ordinary word cannot be told from one.
"""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import unquote

from mail_sender.names.secret import Secret
from mail_sender.relay import relay_url

HIDDEN = "***"
"""What stands in the place of a secret."""
_PART = re.compile(r"[^\s/?&=#:@]+")
_GENERATED = re.compile(r"(?=\S*[a-z])(?=\S*[A-Z])(?=\S*\d)\S{12,}|(?=\w*[A-Za-z])(?=\w*\d)\w{20,}")
_QUERY = re.compile(r"(?<=\?).*|(?<=#).*", re.DOTALL)
_SAYS_SO = re.compile(r"auth|credential|key|passw|secret|token", re.IGNORECASE)
_SECRET_KEY = re.compile(r"(?:^|_)(?:token|password|secret)$")
_URL_KEYS = ("uri", "instance_url")


def without_likely(text: str) -> str:
    """Return a text without what may be a secret: a part that looks generated, a URL's query."""
    if "://" in text:
        text = _QUERY.sub(HIDDEN, text, count=1)
    return _PART.sub(lambda part: HIDDEN if _GENERATED.fullmatch(part[0]) else part[0], text)


def shown_path(path: Path | str) -> str:
    """Return a path that leads nowhere, for a message: where not even its folder is there, a secret may be meant."""
    text = str(path)
    folder = os.path.dirname(text)  # noqa: PTH120 - a Path would change what is written there
    return text if folder not in {"", "/"} and os.path.isdir(folder) else without_likely(text)  # noqa: PTH112 - as above


def known(values: Mapping[str, object]) -> frozenset[Secret]:
    """Return what the values of one of the two files hold where a secret belongs."""
    found = {*_of_secret_keys(values), *_of_headers(values.get("headers"))}
    found.update(*(_of_login(values.get(key)) for key in _URL_KEYS))
    return frozenset(Secret(part) for text in found for part in (text, text.strip()) if part)


def of_all(*files: Mapping[str, object]) -> frozenset[Secret]:
    """Return what the values of several files hold where a secret belongs, and the environment's proxies."""
    return _of_proxies().union(*map(known, files))


def _of_proxies() -> frozenset[Secret]:
    from urllib.request import getproxies  # noqa: PLC0415 - a health check asks for none of them

    return frozenset(Secret(text) for url in getproxies().values() for text in _of_login(url))


def _of_secret_keys(value: object) -> Iterator[str]:
    """Yield the texts under keys that are named like a secret, and the relays' passwords, in any table."""
    if isinstance(value, list):
        for item in value:
            yield from _of_secret_keys(item)
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if isinstance(inner, str):
            yield from [inner] if _SECRET_KEY.search(key) else []
            yield from _of_relay(inner) if key == "mail_relay" else []
        elif key != "headers":
            yield from _of_secret_keys(inner)


def _of_relay(value: object) -> Iterator[str]:
    """Yield a relay's password; of a text that cannot be read as a relay, all of it, if it may have one."""
    if not isinstance(value, str):
        return
    try:
        secret = relay_url.parse(value).password
        password = secret.get_secret_value() if secret else ""
    except relay_url.BadRelay:
        password = value if "@" in value else ""
    if password:
        yield password
    yield from _of_login(value)


def _of_login(url: object) -> Iterator[str]:
    """Yield the password before the @ of a URL, as it stands there and as it is meant.

    Where a user stands alone, it may be a token.
    """
    login, at, _ = str(url).rpartition("@")
    if not at or not isinstance(url, str):
        return
    user, _, password = login.partition("://")[2].partition(":") if "://" in login else login.partition(":")
    secret = password or (user if without_likely(user) != user else "")
    yield from {secret, unquote(secret)} - {""}


def _of_headers(table: object) -> Iterator[str]:
    """Yield the values of headers whose names say that they are secrets; whoever gets a mail sees the others."""
    for name, value in table.items() if isinstance(table, dict) else ():
        if isinstance(value, str) and _SAYS_SO.search(name):
            yield value
