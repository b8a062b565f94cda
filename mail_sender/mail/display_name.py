"""Cleans a person's display name, so that it can stand in a mail.

The owner of the account chooses the name, so it may hold anything: line breaks, bidirectional overrides, encoded
words that some programs decode late, ten thousand characters, or a link that readers would trust because of the mail.
The name is shown in the greeting only, never in a header; a name that cannot be shown safely is left out.
"""

import re
import unicodedata

LONGEST = 128  # characters

_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")  # RFC 2047, section 2
_DOT = "[.\u3002\uff0e\uff61]"  # each separates the labels of a domain (RFC 3490, section 3.1)
_LINK = re.compile(rf"://|@|\w{_DOT}[^\W\d]{{2,}}|\d{_DOT}\d+{_DOT}\d")
_JOINERS = "\u200c\u200d"
# Controls, formats (bidirectional ones among them), surrogates, private use and the two Unicode line breaks.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean(name: str) -> str:
    """Return the name as one harmless line of at most `LONGEST` characters, or "" if nothing is left."""
    head = name[: LONGEST * 16]
    plain = "".join(" " if _is_unwanted(head, place) else char for place, char in enumerate(head))
    found = 1
    while found:  # the text around a removed one may form another
        plain, found = _ENCODED_WORD.subn(" ", plain)
    plain = " ".join(plain.split())
    if _LINK.search(plain):
        return ""
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1].rstrip(' ' + _JOINERS)}…"


def _is_unwanted(text: str, place: int) -> bool:
    if unicodedata.category(text[place]) not in _UNWANTED:
        return False
    # In Persian and Hindi words, and between the parts of an emoji, a joiner belongs to the text.
    return not (
        text[place] in _JOINERS and all(map(_is_joinable, (text[place - 1 : place], text[place + 1 : place + 2])))
    )


def _is_joinable(char: str) -> bool:
    return bool(char) and not char.isascii() and unicodedata.category(char)[0] in "LMS"
