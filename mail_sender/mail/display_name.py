"""Cleans a person's display name, so that it can stand in a mail.

The owner of the account chooses the name, so it may hold anything: line breaks, bidirectional overrides, encoded
words that some programs decode late, ten thousand characters, or a link that readers would trust because of the mail.
The name is shown in the greeting only, never in a header.

Mail programs make links of far more than URLs: of any `word.word`, since new top-level domains come every year
(`anna.schmidt` and `B.Sc` are domains today), of `scheme:`, of addresses, UNC paths and telephone numbers. Nothing is
dropped for that. A space is put where the program would have to go on, as in `anna. schmidt`; the digits of a long
number are parted by a raised dot. Invisible characters would not do: browsers leave them out of a domain (UTS 46),
and finders of telephone numbers take them for hyphens. Programs also read compatibility characters as what they
stand for, so the name is brought into the form NFKC first.
"""

import re
import unicodedata
from functools import lru_cache

LONGEST = 128  # characters

_LONGEST_READ = LONGEST * 16
_ENCODED_WORD = re.compile(r"=\?[^?]*\?[bBqQ]\?[^?]*\?=")  # RFC 2047, section 2
_CUT = "…"
_JOINERS = "\u200c\u200d"
# Controls, formats (bidirectional ones among them), surrogates, private use and the two Unicode line breaks.
_UNWANTED = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Invisible too, though of other categories (Unicode, Default_Ignorable_Code_Point).
_FILLERS = "\u034f\u115f\u1160\u17b4\u17b5"
_SELECTOR = re.compile("[\u180b-\u180f\ufe00-\ufe0f\U000e0100-\U000e01ef]")  # of one look of the character before

_DECIMAL = r"(?<![^\s(])\d+\.\d+(?![^\s),;!?])"
# Each separates the labels of a domain (RFC 3490, section 3.1, after NFKC); at the end of a word it ends a sentence.
_LABEL_END = rf"(?<=\S)[.\u3002](?=[^\s.\u3002,;:!?)\]}}'\"»”’{_CUT}])"
_DOT = re.compile(rf"({_DECIMAL})|({_LABEL_END})")
_BREAKS = re.compile(r"(?<=:)(?=\S)|(?<=[/\\])(?=[/\\])")
_AT = re.compile(r" *@ *")
_TELEPHONE = re.compile(r"\d(?:[\WxXー]*\d){6,}")
_DIGITS = re.compile(r"\d{1,4}")


@lru_cache(maxsize=32)  # each attempt asks more than once
def clean(name: str) -> str:
    """Return the name as one harmless line of at most `LONGEST` characters, or "" if nothing is left."""
    head = _compatible(name[:_LONGEST_READ])[:_LONGEST_READ]
    plain = head if head.isascii() and head.isprintable() else _without_unwanted(head)
    found = 1
    while found:  # the text around a removed one may form another
        plain, found = _ENCODED_WORD.subn(" ", plain)
    plain = " ".join(_without_links(plain).split())
    return plain if len(plain) <= LONGEST else f"{plain[: LONGEST - 1].rstrip(' ' + _JOINERS)}{_CUT}"


def _without_unwanted(text: str) -> str:
    return "".join(" " if _is_unwanted(text, place) else char for place, char in enumerate(text))


def _compatible(text: str) -> str:
    """Return the form NFKC; an ellipsis, which no program takes for dots, stays one."""
    return _CUT.join(unicodedata.normalize("NFKC", piece) for piece in text.split(_CUT))


def _without_links(text: str) -> str:
    text = _TELEPHONE.sub(lambda found: "·".join(_DIGITS.findall(found[0])), text)
    text = _DOT.sub(lambda found: found[1] or f"{found[0]} ", text)
    return _AT.sub(" @ ", _BREAKS.sub(" ", text))


def _is_unwanted(text: str, place: int) -> bool:
    before = text[place - 1 : place]
    if _SELECTOR.match(text[place]):
        return not before or unicodedata.category(before)[0] not in "LNS"
    if unicodedata.category(text[place]) not in _UNWANTED:
        return text[place] in _FILLERS
    # In Persian and Hindi words, and between the parts of an emoji, a joiner belongs to the text.
    return not (text[place] in _JOINERS and _is_joinable(before) and _is_joinable(text[place + 1 : place + 2]))


def _is_joinable(char: str) -> bool:
    return bool(char) and not char.isascii() and unicodedata.category(char)[0] in "LMS"
