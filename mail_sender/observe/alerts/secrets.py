"""The secrets of the configuration of alerts: whoever knows a webhook's URL, or a command's words, may post there."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, unquote, urlsplit

from mail_sender.names.secret import Secret
from mail_sender.observe.alerts.config import AlertConfig

_WORD = re.compile(r"[A-Za-z_.-]{0,16}|v\d{1,2}|.{0,5}", re.DOTALL)
"""A part that keeps nothing secret: services, api, v2, alerts."""
_APART = re.compile(r"[\s\"'=:&|;@]+")
"""What stands between the words of a command line."""
_OPEN = ("/", "-", "$")
"""How paths, options and variables begin, which are no secrets."""
_URL = re.compile(r"https?://[^\s\"']+")


def parts(config: AlertConfig) -> frozenset[Secret]:
    """Return the parts that are secrets by themselves: of the URL's path, query and login, and of the headers."""
    found: set[str] = set()
    if config.url is not None:
        found.update(_of_url(config.url.get_secret_value()))
    for _, value in config.headers:
        found |= {value.get_secret_value(), *value.get_secret_value().split()}
    return _secret(found)


def of_command(config: AlertConfig) -> frozenset[Secret]:
    """Return the words of the command that may be secrets, which its program may print."""
    command = [word.get_secret_value() for word in config.command]
    line = " ".join(command)
    urls = _URL.findall(line)
    words = [word for word in _APART.split(_URL.sub(" ", line)) if not word.startswith(_OPEN)]
    whole = {word for word in command[1:] if not word.startswith(_OPEN) and not re.search(r"\s|://", word)}
    return _secret({*words, *whole}.union(*map(_of_url, urls)) - {config.program})


def all_of(config: AlertConfig) -> frozenset[Secret]:
    """Return all that no log may show."""
    if config.url is None:
        return parts(config)
    text = config.url.get_secret_value()
    url = urlsplit(text)
    target = url.path + (f"?{url.query}" if url.query else "")
    found = parts(config)
    holds_secret = any(part.get_secret_value() in target for part in found)
    whole = [text, *([target, url.path] if holds_secret else ())]
    return found | frozenset(map(Secret, whole))


def _of_url(text: str) -> Iterator[str]:
    url = urlsplit(text)
    yield from url.path.split("/")
    yield from (value for _, value in parse_qsl(url.query))
    yield from (url.fragment, url.username or "", url.password or "")


def _secret(found: set[str]) -> frozenset[Secret]:
    found |= {unquote(part) for part in found}
    return frozenset(Secret(part) for part in found if not _WORD.fullmatch(part))
