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
from mail_sender.relay.seen import Seen, bare, bare_login
from mail_sender.verdict import LONGEST_TEXT

LONGEST_READ = 2_000
"""Characters of a reply that are looked at: a longer one would keep every mail waiting."""

_PIECE = 5
"""Letters and digits of a secret that are not shown together: Kanidm writes its intent ids in groups of five."""
_WORD = re.compile(r"\S+")
_ENCODED = re.compile(r"[A-Za-z0-9+/_-]{8,}={0,2}")
_ADDRESS = re.compile(r"(?:\"[^\"]+\"|[\w.+%-]+)@[\w-]+(?:\.[\w-]+)+")  # somebody else's
_STARS = "***"


def cleaned(text: str, login: tuple[str, ...], seen: Seen | None = None, most: int = LONGEST_TEXT) -> str:
    """Return a reply's text as one printable line of at most so many characters, secrets and names hidden.

    `seen` are the mails that the relay has seen: it may quote an earlier one, on another connection, too.
    """
    text = text[:LONGEST_READ]
    mails = tuple(seen or ())
    for secrets in (login, *(mail.secrets for mail in mails)):
        for secret in secrets:
            text = text.replace(secret, _STARS)
    text = _without_pieces(text, bare_login(login), seen.bare if seen else "")
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


def _without_pieces(text: str, *secrets: str) -> str:
    """Hide every word that holds a piece of a secret; these are as `bare` returns them."""
    if not any(secrets):
        return text

    def hide(word: re.Match[str]) -> str:
        readings = (bare(word[0]), *map(bare, _decoded(word[0])))
        is_secret = any(piece in each for reading in readings for piece in _pieces(reading) for each in secrets)
        return _STARS if is_secret else word[0]

    return _WORD.sub(hide, text)


def _pieces(reading: str) -> Iterator[str]:
    return (reading[start : start + _PIECE] for start in range(len(reading) - _PIECE + 1))


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
