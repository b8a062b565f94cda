"""A display name, made fit to stand in a mail.

It comes from whoever owns the account, so it may hold anything: line breaks, bidirectional overrides, encoded
words that some programs decode late, ten thousand characters, or a link that would borrow the mail's authority.
It is only ever shown in a greeting, never in a header; a name that cannot be shown safely is left out.
"""

import re
import unicodedata

LONGEST = 128  # characters

_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")  # RFC 2047, section 2
_DOT = "[.\u3002\uff0e\uff61]"  # each of them parts the labels of a domain (RFC 3490, section 3.1)
_LINK = re.compile(rf"://|@|\w{_DOT}[^\W\d]{{2,}}|\d{_DOT}\d+{_DOT}\d")
_JOINERS = "\u200c\u200d"
# Controls, formats (bidirectional ones among them), surrogates, private use and the two Unicode line breaks.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(name: str) -> str:
    """Return the name as one harmless line of at most `LONGEST` characters, or "" where none is left."""
    head = name[: LONGEST * 16]
    plain = "".join(" " if _is_unwanted(head, place) else char for place, char in enumerate(head))
    found = 1
    while found:  # what is left around one may make another
        plain, found = _ENCODED_WORD.subn(" ", plain)
    plain = " ".join(plain.split())
    if _LINK.search(plain):
        return ""
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1].rstrip(' ' + _JOINERS)}…"


def _is_unwanted(text: str, place: int) -> bool:
    if unicodedata.category(text[place]) not in _UNWANTED:
        return False
    # Between letters of Persian or Hindi, and between the parts of an emoji, a joiner belongs to the word.
    return not (
        text[place] in _JOINERS and all(map(_is_joinable, (text[place - 1 : place], text[place + 1 : place + 2])))
    )


def _is_joinable(char: str) -> bool:
    return bool(char) and not char.isascii() and unicodedata.category(char)[0] in "LMS"
