"""The secrets of the configuration of alerts: whoever knows a webhook's URL may post there."""

import re
from urllib.parse import parse_qsl, unquote, urlsplit

from mail_sender.observe.alerts.config import AlertConfig

_WORD = re.compile(r"[A-Za-z_.-]{0,16}|v\d{1,2}|.{0,5}", re.DOTALL)
"""A part of a URL that keeps nothing secret: services, api, v2, alerts."""


def parts(config: AlertConfig) -> frozenset[str]:
    """Return the parts that are secrets by themselves: of the URL's path, query and login, and of the headers."""
    found: set[str] = set()
    if config.url is not None:
        url = urlsplit(config.url.get_secret_value())
        found |= {*url.path.split("/"), *(value for _, value in parse_qsl(url.query)), url.fragment}
        found |= {url.username or "", url.password or ""}
    for _, value in config.headers:
        found |= {value.get_secret_value(), *value.get_secret_value().split()}
    found |= {unquote(part) for part in found}
    return frozenset(part for part in found if not _WORD.fullmatch(part))


def all_of(config: AlertConfig) -> frozenset[str]:
    """Return all that no log may show."""
    if config.url is None:
        return parts(config)
    text = config.url.get_secret_value()
    url = urlsplit(text)
    target = url.path + (f"?{url.query}" if url.query else "")
    holds_secret = any(part in target for part in parts(config))
    return frozenset({text, *parts(config), *([target, url.path] if holds_secret else ())})
