"""Splits a structured header value into words: comments are left out, and quoted strings are opened.

The grammar is that of RFC 5322, section 3.2, read in one pass and without recursion: comments may be nested however
deep, and need not end.
"""

from collections.abc import Iterator

from mail_sender.names.characters import visible

Tokens = list[str]
"""Words, and the specials at which a value is split, each for itself."""


def tokens(text: str, specials: str) -> Tokens:
    """Return the words of a value, and each of these special characters where it stands outside quotes.

    A special is a token of one character; a word that looks like one, because it was quoted, has a NUL before it,
    which `word` takes away.
    """
    found: Tokens = []
    word: str | None = None
    for kind, char in _characters(text):
        if kind == "quoted" or (kind == "plain" and char not in specials and not char.isspace()):
            word = (word or "") + char
            continue
        if word is not None:
            found.append(_marked(word, specials))
            word = None
        if kind == "plain" and char in specials:
            found.append(char)
    return found if word is None else [*found, _marked(word, specials)]


def word(token: str) -> str:
    """Return what a token that is no special says."""
    return token.removeprefix("\0")


def _marked(text: str, specials: str) -> str:
    return f"\0{text}" if text in specials else text


def _characters(text: str) -> Iterator[tuple[str, str]]:
    """Yield each character that counts, with what it is: plain or quoted; a comment is one space.

    An empty quoted string yields an empty text.
    """
    depth, is_quoted, is_escaped = 0, False, False
    for char in text:
        if is_escaped:
            is_escaped = False
            if is_quoted:
                yield "quoted", char
        elif char == "\\" and (depth or is_quoted):
            is_escaped = True
        elif is_quoted:
            is_quoted = char != '"'
            if is_quoted:
                yield "quoted", char
        elif char in "()":
            depth = max(depth + (1 if char == "(" else -1), 0)
            yield "plain", " "
        elif not depth and char == '"':
            is_quoted = True
            yield "quoted", ""
        elif not depth:
            yield "plain", char


def shown(text: str, most: int = 80) -> str:
    """Return a part of a mail as a report shows it: cut, and everything visible."""
    return visible(text if len(text) <= most else text[: most - 3] + "...")
