"""The log: one line per event on standard error, for a person at 3 a.m. or for a machine.

1. An event has a stable name (`sent`, `relay_down`) and fields (docs/log.md).
2. Secrets are kept out in two ways: fields that are named like secrets have their values hidden, and the secrets of
   the configuration are removed from every text. The code that logs an address masks it.
3. A line is text or JSON. JSON begins with the keys that log shippers look for: time, level, event, message.
4. If standard error is the journal, a line of text begins with its priority (sd-daemon(3)).
"""

import contextlib
import logging
import os
import re
import sys
from collections.abc import Iterable, Mapping, MutableMapping
from functools import partial
from typing import Any, Literal

import structlog

from mail_sender.names.secret import Secret

Format = Literal["text", "json"]

_SECRET_NAMES = frozenset({"token", "password", "intent_id", "link", "url", "body", "authorization"})
_LINK_TOKEN = re.compile(r"([?&]token=(?:3D)?)[^\s&\"'<>]+", re.IGNORECASE)
_SIGNED = re.compile(r"(?<![\w-])eyJ[\w-]{8,}(?:\.[\w-]*){1,2}")
"""A compact JWS, such as Kanidm's tokens (RFC 7515, section 3.1): its header is JSON, which begins with a brace."""
_NEEDS_QUOTES = re.compile(r"[\s\"=]")
_MARKS = {"debug": " ", "info": " ", "warning": "!", "error": "x"}
_PRIORITIES = {"debug": "<7>", "info": "<6>", "warning": "<4>", "error": "<3>"}
_FIRST = ("timestamp", "level", "event", "message")

_Event = MutableMapping[str, Any]


def configure(
    *,
    debug: bool,
    form: Format,
    secrets: Iterable[Secret] = (),
    quiet: bool = False,
    environment: Mapping[str, str] = os.environ,
) -> None:
    """Set up the log of the process: its level, its form, and the secrets that it must never show.

    One that is `quiet` says nothing unless `debug` is set: a command says itself what it finds.
    """
    level = logging.DEBUG if debug else logging.CRITICAL if quiet else logging.INFO
    text = _prioritised if _is_journal(environment.get("JOURNAL_STREAM")) else _text
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            Redactor(secrets),
            *([_ordered, structlog.processors.JSONRenderer(ensure_ascii=True)] if form == "json" else [text]),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=partial(_same, structlog.WriteLogger(_Unbreakable())),  # type: ignore[arg-type]  # write and flush suffice
        cache_logger_on_first_use=False,  # a module's logger goes by what is configured now
    )
    # Libraries log requests and conversations, headers and all: never, at any level.
    logging.getLogger().addHandler(logging.NullHandler())
    logging.getLogger().setLevel(logging.CRITICAL)


def _is_journal(stream: str | None) -> bool:
    """Say whether standard error is the file that `$JOURNAL_STREAM` names by device and inode (systemd.exec(5))."""
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError, AttributeError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def _same(logger: structlog.WriteLogger, *_: object) -> structlog.WriteLogger:
    """Return the one logger that there is, whichever module asks: it holds nothing that is a module's."""
    return logger


class _Unbreakable:
    """Standard error, but a full disk or a closed pipe behind it, or its absence, stops no mail.

    A line comes in one piece, its end included: what reads the log never meets half of one.
    """

    def write(self, text: str) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError, AttributeError):
            sys.stderr.flush()


class Redactor:
    """Cuts secrets out of what is logged or printed: fields by their name, texts by what they hold."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        # Longest first, so that a secret inside another one leaves nothing behind.
        self._secrets = sorted((secret for secret in secrets if len(secret) > 3), key=len, reverse=True)

    def __call__(self, _logger: object, _method: str, event: _Event) -> _Event:
        """Return the event without secrets; a processor of structlog's."""
        return {key: "***" if key in _SECRET_NAMES else self._clean(value) for key, value in event.items()}

    def _clean(self, value: object) -> object:
        return value if value is None or isinstance(value, bool | int | float) else self.text(str(value))

    def text(self, text: str) -> str:
        """Return the text without the secrets, the secret part of any reset link, and any signed token."""
        for secret in self._secrets:
            text = text.replace(secret.get_secret_value(), "***")
        return without_tokens(text)


def without_tokens(text: str) -> str:
    """Return the text without the secret part of any reset link, and without any signed token, whoever's it is."""
    if "=" in text:  # without the octets that each begins with, there is no need to search
        text = _LINK_TOKEN.sub(r"\1***", text)
    return _SIGNED.sub("***", text) if "eyJ" in text else text


def _ordered(_logger: object, _method: str, event: _Event) -> _Event:
    """Put the keys that every line has to its front."""
    return {key: event[key] for key in (*_FIRST, *event) if key in event}


def _prioritised(logger: object, method: str, event: _Event) -> str:
    """Render a line for the journal, which takes the priority off."""
    return _PRIORITIES.get(event["level"], "<5>") + _text(logger, method, event)


def _text(_logger: object, _method: str, event: _Event) -> str:
    """Render `time mark event  key=value ...`; `message` is a sentence and comes last, as it is."""
    time = str(event.pop("timestamp"))[:19]
    level, name, sentence = event.pop("level"), event.pop("event"), event.pop("message", None)
    fields = [f"{key}={_quoted(value)}" for key, value in event.items() if value is not None]
    head = f"{time}Z {_MARKS.get(level, ' ')} {name:<20}"
    return printable(" ".join([head, *fields, *([f"- {sentence}"] if sentence else [])]).rstrip())


def _quoted(value: object) -> str:
    text = str(value)
    return f'"{text}"' if _NEEDS_QUOTES.search(text) or not text else text


def printable(text: str) -> str:
    """Return a text with its control characters shown, not obeyed: what a relay answers ends up on a terminal."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)
