"""Removes secrets from what a relay quotes in its replies.

Relays repeat what they were sent: addresses, names, whole links, the login. A reply is cleaned as soon as it is read,
so that no log, error or ledger ever holds the rest. A secret is found in pieces, whatever stands between its
characters and however they are spelled: folded, escaped, in capitals, in base64 or hex.
"""

import base64
import re
from collections.abc import Iterator

from mail_sender import log
from mail_sender.names import address
from mail_sender.relay.seen import PIECE, Seen, bare, bare_login, pieces
from mail_sender.verdict import LONGEST_TEXT

LONGEST_READ = 2_000
"""Characters of a reply that are looked at: a longer one would keep every mail waiting."""

_WORD = re.compile(r"\S+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ADDRESS = re.compile(r"(?:\"[^\"]+\"|[\w.+%-]+)@[\w-]+(?:\.[\w-]+)+")  # somebody else's
_STARS = "***"


def cleaned(text: str, login: tuple[str, ...], seen: Seen | None = None, most: int = LONGEST_TEXT) -> str:
    """Return a reply's text as one printable line of at most so many characters, secrets and names hidden.

    `seen` are the mails that the relay has seen: it may quote an earlier one, on another connection, too.
    """
    text, seen = text[:LONGEST_READ], seen or Seen()
    for secret in login:
        text = text.replace(secret, _STARS)
    mails = seen.quotable_in(text)
    for mail in mails:
        for secret in mail.secrets:
            text = text.replace(secret, _STARS)
    text = _without_pieces(text, bare_login(login), seen)
    folded = text.casefold()
    for mail in mails:
        for in_lower_case, spelling in mail.addresses:
            if in_lower_case in folded:
                text = _replaced(text, re.escape(spelling), mail.masked)
        for in_lower_case, name in mail.names:
            if in_lower_case in folded:
                text = _replaced(text, rf"(?<!\w){re.escape(name)}(?!\w)", _STARS)
    text = without_addresses(log.without_tokens(text))
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())[:most]


def without_addresses(text: str) -> str:
    """Return a text in which every mail address is masked."""
    return _ADDRESS.sub(lambda found: address.mask(found[0]), text) if "@" in text else text


def _without_pieces(text: str, login: str, seen: Seen) -> str:
    """Hide every word that holds a piece of a secret; `login` is as `bare_login` returns it."""

    def hide(word: re.Match[str]) -> str:
        if len(word[0]) < PIECE and word[0].isascii():
            return word[0]
        found = [piece for reading in _readings(word[0]) for piece in pieces(reading)]
        return _STARS if any(piece in login for piece in found) or seen.has_piece(found) else word[0]

    return _WORD.sub(hide, text)


def _readings(word: str) -> Iterator[str]:
    """Yield what a word may stand for, in letters and digits alone."""
    yield bare(word)
    yield from map(bare, _decoded(word))


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


def _replaced(text: str, pattern: str, by: str) -> str:
    return re.sub(pattern, lambda _: by, text, flags=re.IGNORECASE)
