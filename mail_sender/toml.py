"""Reads TOML 1.1 (https://toml.io), as Kanidm's own parser does. Only this module uses the TOML library."""

import re
from typing import Any

import tomli

_NO_END = "a text has no quote at its end"
_BACKSLASH = "a text in double quotes holds a backslash"
_PLAIN = {
    r"Illegal character '\\[nr]'": _NO_END,
    r"Unterminated string|Expected \"'+\"": _NO_END,
    r"Unescaped '\\' in a string|Invalid hex value|Escaped character is not a Unicode scalar value": _BACKSLASH,
    r"Cannot (?:declare|mutate|(?:re)?define) .*|Duplicate inline table key .*": "a table or key stands there twice",
}
"""What tomli says in Python's words, and what it means."""


class NotToml(Exception):
    """The text is not TOML, or cannot be read: `found` says why, `line` where, if that is known."""

    def __init__(self, found: str, line: int | None = None) -> None:
        super().__init__(f"{found} (at line {line})" if line else found)
        self.found = found
        self.line = line


def loads(text: str) -> dict[str, Any]:
    """Return the tables and values of a text. Raises `NotToml`."""
    try:
        return tomli.loads(text)
    except tomli.TOMLDecodeError as error:
        plain = (words for pattern, words in _PLAIN.items() if re.fullmatch(pattern, error.msg))
        raise NotToml(next(plain, error.msg), error.lineno) from None
    except RecursionError:
        raise NotToml("nested too deep") from None
    except ValueError:  # Python refuses numbers of thousands of digits
        raise NotToml("a number has too many digits") from None
