"""The brand: text on its colour can be read, and a logo is an image that every mail can carry."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.brand import LARGEST_LOGO, BadLogo, Brand, Logo

ON = {
    "#ffffff": "#000000",
    "#000000": "#ffffff",
    "#ffff00": "#000000",
    "#1d4ed8": "#ffffff",
    "#b45309": "#ffffff",
    "#22c55e": "#000000",
}


@pytest.mark.parametrize("color", ON)
def test_text_on_the_colour_is_white_or_black(color: str) -> None:
    """Whichever is easier to read."""
    assert Brand(color=color).on_color == ON[color]


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours (WCAG 2.2, "contrast ratio"), from 1 to 21."""

    def luminance(color: str) -> float:
        parts = [octet / 255 for octet in bytes.fromhex(color[1:])]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@given(st.integers(0, 0xFFFFFF))
def test_text_on_any_colour_can_be_read(number: int) -> None:
    """One of the two always reaches the 4.5 of level AA."""
    color = f"#{number:06x}"
    assert contrast(color, Brand(color=color).on_color) >= 4.5


IMAGES = {"png": b"\x89PNG\r\n\x1a\nrest", "jpeg": b"\xff\xd8\xff\xe0rest", "gif": b"GIF89arest"}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_known_by_its_first_octets(tmp_path: Path, kind: str) -> None:
    """Whatever its file is called."""
    (tmp_path / "logo.svg").write_bytes(IMAGES[kind])
    assert Logo.read(tmp_path / "logo.svg") == Logo(kind, IMAGES[kind])


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"RIFF....WEBP", b"BM"])
def test_what_mail_programs_do_not_show_is_no_logo(tmp_path: Path, content: bytes) -> None:
    """An SVG would be a hole at the top of every mail."""
    (tmp_path / "logo.png").write_bytes(content)
    with pytest.raises(BadLogo, match="no PNG, JPEG or GIF"):
        Logo.read(tmp_path / "logo.png")


def test_a_logo_is_not_too_large_for_every_mail(tmp_path: Path) -> None:
    """Up to 256 KiB it is taken, above it is named."""
    path = tmp_path / "logo.png"
    path.write_bytes(IMAGES["png"].ljust(LARGEST_LOGO, b"x"))
    assert len(Logo.read(path).content) == LARGEST_LOGO
    path.write_bytes(IMAGES["png"].ljust(LARGEST_LOGO + 1024, b"x"))
    with pytest.raises(BadLogo, match="257 KiB"):
        Logo.read(path)
