"""Finds what a mail program could make a link of, as greedily as any of them and all together.

Gmail and Apple Mail link bare domains, Outlook UNC paths, phones telephone numbers; linkifiers such as linkify-it take
any scheme and any script, and finders of telephone numbers (libphonenumber) take invisible characters for hyphens. A
browser then reads a domain after UTS 46: compatibility characters as what they stand for, invisible ones left out.
"""

import re
import unicodedata

_INVISIBLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]")
_LINK = re.compile(
    r"""(?<![^\s(])\d+\.\d+(?![^\s),;!?])  # a decimal number is none
    | (?P<link>
        [^\s.]\.{1,2}[^\W_]              # anna.schmidt, i❤.ws, 192.0.2.1
      | [a-z][a-z0-9+.-]*:[^\s]         # mailto:x, javascript:x, http:x
      | [/\\]{2}                        # //host, \\server\share
      | \S@ | @\S                       # a@b, @somebody
      | \d(?:[-x\u2010-\u2015\u2212ー\s\u00ad\u200b\u2060()\[\]./~\u2053\u223c+]*\d){6}  # a telephone number
    )""",
    re.VERBOSE | re.IGNORECASE,
)


def links(text: str) -> list[str]:
    """Return what of the text could become a link, in any reading of it."""
    return [found["link"] for reading in _readings(text) for found in _LINK.finditer(reading) if found["link"]]


def _readings(text: str) -> set[str]:
    shown = {text, _visible(text)}
    return shown | {unicodedata.normalize("NFKC", one).replace("\u3002", ".").casefold() for one in shown}


def _visible(text: str) -> str:
    return _INVISIBLE.sub("", "".join(char for char in text if unicodedata.category(char) != "Cf"))
