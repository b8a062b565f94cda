"""Reads TOML 1.1 (https://toml.io), as Kanidm's own parser does. Only this module uses the TOML library."""

from typing import Any

import tomli


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
        raise NotToml(error.msg, error.lineno) from None
    except RecursionError:
        raise NotToml("nested too deep") from None
    except ValueError:  # Python refuses numbers of thousands of digits
        raise NotToml("a number has too many digits") from None
