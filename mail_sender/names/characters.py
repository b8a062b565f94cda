"""Characters that nobody sees: they are found, and shown by their code points."""

import re
import unicodedata

# What is drawn as nothing or as a space, although Unicode does not count it among spaces or control characters.
_DRAWN_AS_NOTHING = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]"
)


def is_invisible(char: str) -> bool:
    """Say whether a character cannot be seen, or looks like a plain space without being one."""
    return not char.isprintable() or _DRAWN_AS_NOTHING.match(char) is not None


def code_point(char: str) -> str:
    """Return a character as people look it up: `U+200B`, with its name if it has one."""
    name = unicodedata.name(char, "")
    return f"U+{ord(char):04X} ({name.lower()})" if name else f"U+{ord(char):04X}"


def visible(text: str) -> str:
    """Return a text in which each character that cannot be seen stands as its code point: `<U+200B>`."""
    if text.isprintable() and not _DRAWN_AS_NOTHING.search(text):
        return text
    return "".join(f"<U+{ord(char):04X}>" if is_invisible(char) else char for char in text)
