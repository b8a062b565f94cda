"""The brand: text on its colour can be read, and a logo is an image that every mail can carry."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.templating.brand import CARDS, Brand
from mail_sender.templating.logo import LARGEST_LOGO, BadLogo, Logo


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


@given(st.integers(0, 0xFFFFFF))
def test_a_button_of_any_colour_can_be_seen(number: int) -> None:
    """On the white card and on the dark one: where its colour is too near to one of them, a line is around it."""
    brand = Brand(color=f"#{number:06x}")
    assert all(contrast(brand.outline, card) >= 1.3 for card in CARDS)


def test_a_colour_that_can_be_seen_needs_no_line_of_another() -> None:
    """Only white, the dark card's own colour and the like do."""
    assert [Brand(color=color).outline for color in ("#1d4ed8", "#ffffff", "#1f2937")] == [
        "#1d4ed8",
        *["#9ca3af"] * 2,
    ]


IMAGES = {
    "png": b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\1\0\0\0\0\x40",
    "jpeg": b"\xff\xd8\xff\xe0\0\4ab\xff\xff\xc4\0\2\xff\xc2\0\x11\x08\0\x40\1\0\3",
    "gif": b"GIF89a\0\1\x40\0",
}


@pytest.mark.parametrize("kind", IMAGES)
def test_an_image_is_known_by_its_first_octets(tmp_path: Path, kind: str) -> None:
    """Whatever its file is called."""
    (tmp_path / "logo.svg").write_bytes(IMAGES[kind])
    assert Logo.read(tmp_path / "logo.svg") == Logo(kind, IMAGES[kind], 256, 64)


@pytest.mark.parametrize(
    "content", [IMAGES["png"][:20], IMAGES["jpeg"][:20], IMAGES["gif"][:9], IMAGES["gif"][:8] + b"\0\0"]
)
def test_an_image_without_its_size_is_broken(content: bytes) -> None:
    """A mail program would show a hole, or the text of it in full width."""
    with pytest.raises(BadLogo, match="broken"):
        Logo.of(content)


def test_what_is_no_file_is_not_read(tmp_path: Path) -> None:
    """A pipe would be waited for, a device never ends."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(BadLogo, match="is not a regular file"):
            Logo.read(path)


def test_a_logo_is_shown_as_it_is_unless_it_is_large() -> None:
    """Its proportions stay."""
    sizes = [Logo("png", b"", *size).shown for size in ((200, 48), (400, 200), (4000, 40), (1, 9000))]
    assert sizes == [(200, 48), (192, 96), (496, 5), (1, 96)]


@pytest.mark.parametrize("content", [b"", b"<svg/>", b"RIFF....WEBP", b"BM"])
def test_what_mail_programs_do_not_show_is_no_logo(tmp_path: Path, content: bytes) -> None:
    """An SVG would be a hole at the top of every mail."""
    (tmp_path / "logo.png").write_bytes(content)
    with pytest.raises(BadLogo, match="not a PNG, JPEG or GIF"):
        Logo.read(tmp_path / "logo.png")


def test_a_logo_is_not_too_large_for_every_mail(tmp_path: Path) -> None:
    """Up to 256 KiB it is taken, above it is named."""
    path = tmp_path / "logo.png"
    path.write_bytes(IMAGES["png"].ljust(LARGEST_LOGO, b"x"))
    assert len(Logo.read(path).content) == LARGEST_LOGO
    path.write_bytes(IMAGES["png"].ljust(LARGEST_LOGO + 1024, b"x"))
    with pytest.raises(BadLogo, match="257 KiB"):
        Logo.read(path)
