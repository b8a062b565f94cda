"""What a relay offers in its reply to EHLO (RFC 5321, section 4.1.1.1), read as leniently as Postfix reads it.

An extension may stand on the first line, where the relay's name belongs, and its parameters may follow a tab or, as
an old draft had it, a `=`. What cannot be a name of an extension or of a login mechanism is left out.
"""

import re
from dataclasses import dataclass

_KEYWORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,29}")
_MECHANISM = re.compile(r"[A-Za-z0-9_-]{1,20}")  # RFC 4422, section 3.1
_BETWEEN = re.compile(r"[\s=,]+")
_MOST = 50  # names of one kind; more are nonsense
_OURS = frozenset({"auth", "starttls", "size", "smtputf8"})


@dataclass(frozen=True, slots=True)
class Offer:
    """The extensions and the login mechanisms that a relay offers, in lower case, in its order."""

    extensions: tuple[str, ...] = ()
    mechanisms: tuple[str, ...] = ()


def offer(text: str) -> Offer:
    """Return what the text of a reply to EHLO offers."""
    first, *others = (_words(line) for line in text.split("\n"))
    extensions: dict[str, None] = {}
    mechanisms: dict[str, None] = {}
    for words in (_without_name(first), *others):
        keyword, *parameters = words or [""]
        if _KEYWORD.fullmatch(keyword):
            extensions[keyword] = None
        if keyword == "auth":
            mechanisms.update(dict.fromkeys(word for word in parameters if _MECHANISM.fullmatch(word)))
    return Offer(tuple(extensions)[:_MOST], tuple(mechanisms)[:_MOST])


def _words(line: str) -> list[str]:
    return [word.lower() for word in _BETWEEN.split(line) if word]


def _without_name(words: list[str]) -> list[str]:
    """Return the extension on the first line; any other words there are a greeting."""
    if words and words[0] in _OURS:
        return words
    # Words of a greeting may mean anything: only what cannot do harm is taken for an extension.
    return words[1:] if words[1:2] in (["auth"], ["starttls"]) else []
