"""The brand: whose mail it is, as far as a mail shows it.

The logo is part of the mail (RFC 2392), never loaded from elsewhere, and only where a template uses it.
"""

from dataclasses import dataclass, field
from pathlib import Path

LARGEST_LOGO = 256 * 1024
"""Octets; it goes out with every mail."""
_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


class BadLogo(Exception):
    """The file is no logo; the text says why."""


@dataclass(frozen=True, slots=True)
class Logo:
    """An image: its type (`png`, `jpeg`, `gif`) and its octets."""

    type: str
    content: bytes = field(repr=False)

    @classmethod
    def read(cls, path: Path) -> "Logo":
        """Return the image in a file.

        Raises `BadLogo`, OSError.
        """
        content = path.read_bytes()
        if len(content) > LARGEST_LOGO:
            raise BadLogo(f"has {len(content) // 1024} KiB, and every mail would carry it; at most 256 are taken")
        found = [kind for magic, kind in _MAGIC.items() if content.startswith(magic)]
        if not found:
            raise BadLogo("is no PNG, JPEG or GIF; mail programs show no other images")
        return cls(found[0], content)


@dataclass(frozen=True, slots=True)
class Brand:
    """Name, colour (`#rrggbb`), logo, where to ask (an address, a URL or a sentence), and a line for the end."""

    name: str = ""
    color: str = "#1d4ed8"
    logo: Logo | None = None
    support: str = ""
    footer: str = ""

    @property
    def on_color(self) -> str:
        """White or black, whichever is the better to read upon the colour (WCAG 2, relative luminance)."""
        red, green, blue = (_linear(int(self.color[start : start + 2], 16) / 255) for start in (1, 3, 5))
        luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
