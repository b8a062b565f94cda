"""Removes secrets from what a relay quotes in its replies.

Relays repeat what they were sent: addresses, names, whole links, the login. A reply is cleaned as soon as it is read,
so that no log, error or ledger ever holds the rest. A secret is found in pieces, whatever stands between its
characters and however they are spelled: folded, escaped, in capitals, in base64 or hex.
"""

import base64
import re
from collections.abc import Collection, Iterator
from functools import lru_cache

from mail_sender import log
from mail_sender.mail.mail import Mail
from mail_sender.names import address
from mail_sender.verdict import LONGEST_TEXT

LONGEST_READ = 2_000
"""Characters of a reply that are looked at: a longer one would keep every mail waiting."""

_PIECE = 5
"""Letters and digits of a secret that are not shown together: Kanidm writes its intent ids in groups of five."""
_SHORTEST_NAME = 3
_LONG = 500  # characters
_WORD = re.compile(r"\S+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ESCAPE = re.compile(r"(?:%|=|&#x?)[0-9A-Fa-f]{2};?|=\r?\n")
_ADDRESS = re.compile(r"(?:\"[^\"]+\"|[\w.+%-]+)@[\w-]+(?:\.[\w-]+)+")  # somebody else's
_STARS = "***"


def cleaned(text: str, login: tuple[str, ...], mails: Collection[Mail] = (), most: int = LONGEST_TEXT) -> str:
    """Return a reply's text as one printable line of at most so many characters, secrets and names hidden.

    `mails` are those that the relay has seen: it may quote an earlier one, on another connection, too.
    """
    text = text[:LONGEST_READ]
    secrets = (*login, *(secret for mail in mails for secret in mail.secrets))
    for secret in secrets:
        text = text.replace(secret, _STARS)
    text = _without_pieces(text, secrets)
    for mail in mails:
        for spelling in address.spellings(mail.recipient):
            text = _replaced(text, re.escape(spelling), spelling, address.mask(mail.recipient))
        for name in mail.names:
            if len(name) >= _SHORTEST_NAME:
                text = _replaced(text, rf"(?<!\w){re.escape(name)}(?!\w)", name, _STARS)
    text = without_addresses(log.without_tokens(text))
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return plain[:most]


def without_addresses(text: str) -> str:
    """Return a text in which every mail address is masked."""
    return _ADDRESS.sub(lambda found: address.mask(found[0]), text)


def _without_pieces(text: str, secrets: tuple[str, ...]) -> str:
    """Hide every word that holds a piece of a secret."""
    pieces = frozenset[str]().union(*map(_pieces_of, secrets))
    if not pieces:
        return text

    def hide(word: re.Match[str]) -> str:
        readings = (_bare(word[0]), *(_bare(decoded) for decoded in _decoded(word[0])))
        return _STARS if any(piece in pieces for reading in readings for piece in _pieces(reading)) else word[0]

    return _WORD.sub(hide, text)


def _bare(text: str) -> str:
    """Return only the letters and digits, in one case, escapes left out."""
    return "".join(char for char in _ESCAPE.sub("", text) if char.isalnum()).casefold()


def _pieces(bare: str) -> Iterator[str]:
    return (bare[start : start + _PIECE] for start in range(len(bare) - _PIECE + 1))


def _decoded(word: str) -> Iterator[str]:
    """Yield what a word may be in base64 or hex, wherever in it that begins."""
    for run in _ENCODED.findall(word):
        bare = run.rstrip("=").translate(str.maketrans("-_", "+/"))
        for start in range(4):
            cut = bare[start : start + (len(bare) - start) // 4 * 4]
            yield base64.b64decode(cut).decode("latin-1")
        if re.fullmatch(r"[0-9A-Fa-f]+", bare):
            for start in range(2):
                yield bytes.fromhex(bare[start : start + (len(bare) - start) // 2 * 2]).decode("latin-1")


def _replaced(text: str, pattern: str, word: str, by: str) -> str:
    """Return the text with a word replaced, in whatever case; most texts do not hold it."""
    if word.casefold() not in text.casefold():
        return text
    return re.sub(pattern, lambda _: by, text, flags=re.IGNORECASE)


def _pieces_of(secret: str) -> frozenset[str]:
    return _of_long(secret) if len(secret) > _LONG else _of_short(secret)


@lru_cache(maxsize=256)
def _of_short(secret: str) -> frozenset[str]:
    return frozenset(_pieces(_bare(secret)))


@lru_cache(maxsize=8)
def _of_long(secret: str) -> frozenset[str]:
    """Return the pieces of an access token: there are thousands, and a new token comes every hour."""
    return frozenset(_pieces(_bare(secret)))
