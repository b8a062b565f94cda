"""The logo of a brand: which image files can be one, how large they may be, and how large mails show them.

It is part of the mail (RFC 2392) if a template uses it; it is never loaded from elsewhere.
"""

import errno
import os
import stat
import struct
from dataclasses import dataclass, field
from pathlib import Path

LARGEST_LOGO = 256 * 1024
"""Octets; every mail contains it."""
TALLEST, WIDEST = 96, 496
"""Pixels of a logo as it is shown: a larger one would push the text out of sight."""
_MAGIC = {b"\x89PNG\r\n\x1a\n": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif"}


class BadLogo(Exception):
    """The file cannot be used as a logo; the text says why."""


@dataclass(frozen=True, slots=True)
class Logo:
    """An image: its type (`png`, `jpeg`, `gif`), its octets, its width and height in pixels."""

    type: str
    content: bytes = field(repr=False)
    width: int
    height: int

    @classmethod
    def read(cls, path: Path) -> "Logo":
        """Return the image in a file. Raises `BadLogo`, OSError."""
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(found.st_mode):  # reading a pipe or a device may never end
            raise BadLogo("is not a regular file")
        if found.st_size > LARGEST_LOGO:
            size = found.st_size // 1024
            raise BadLogo(f"has {size} KiB, and every mail would contain it; the limit is {LARGEST_LOGO // 1024} KiB")
        return cls.of(path.read_bytes())

    @classmethod
    def of(cls, content: bytes) -> "Logo":
        """Return the image in these octets. Raises `BadLogo`."""
        kind = next((kind for magic, kind in _MAGIC.items() if content.startswith(magic)), None)
        if kind is None:
            raise BadLogo("is not a PNG, JPEG or GIF; mail programs show no other images")
        width, height = _pixels(kind, content)
        if not (width and height):
            raise BadLogo("is a broken image: it has no width and height")
        return cls(kind, content, width, height)

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height in pixels at which mails show it: its own, reduced to at most `WIDEST` and `TALLEST`."""
        scale = min(1.0, TALLEST / self.height, WIDEST / self.width)
        return max(1, round(self.width * scale)), max(1, round(self.height * scale))


def _pixels(kind: str, content: bytes) -> tuple[int, int]:
    """Return width and height from an image's header, or zeros if they are not there."""
    if kind == "jpeg":
        return _pixels_of_jpeg(content)
    start, layout = (16, ">II") if kind == "png" else (6, "<HH")
    size = content[start : start + struct.calcsize(layout)]
    whole = len(size) == struct.calcsize(layout) and (kind != "png" or content[12:16] == b"IHDR")
    width, height = struct.unpack(layout, size) if whole else (0, 0)
    return width, height


def _pixels_of_jpeg(content: bytes) -> tuple[int, int]:
    """Return width and height from the frame header (ITU-T T.81, B.2.2), or zeros if there is none."""
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4])
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 1 if marker == 0xFF else 2 + length
    return 0, 0
