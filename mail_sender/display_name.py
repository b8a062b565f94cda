"""A display name, made fit to stand in a mail.

It comes from whoever owns the account, so it may hold anything: line breaks, bidirectional overrides, encoded
words that some programs decode late, ten thousand characters, or a link that would borrow the mail's authority.
It is only ever shown in a greeting, never in a header; a name that cannot be shown safely is left out.
"""

import re
import unicodedata

LONGEST = 128  # characters

_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")  # RFC 2047, section 2
_LINK = re.compile(r"://|@|\w\.[^\W\d]{2,}")
# Controls, formats (bidirectional ones among them), surrogates, private use and the two Unicode line breaks.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(name: str) -> str:
    """Return the name as one harmless line of at most `LONGEST` characters, or "" where none is left."""
    plain = "".join(" " if unicodedata.category(char) in _UNWANTED else char for char in name[: LONGEST * 16])
    found = 1
    while found:  # what is left around one may make another
        plain, found = _ENCODED_WORD.subn(" ", plain)
    plain = " ".join(plain.split())
    if _LINK.search(plain):
        return ""
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1].rstrip()}…"
