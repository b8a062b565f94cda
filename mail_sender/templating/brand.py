"""The brand: name, colour, logo, support and last line, with which a mail shows whose it is."""

from dataclasses import dataclass

from mail_sender.templating.logo import Logo

CARDS = ("#ffffff", "#1f2937")
"""The background colours of a mail's text, in light and in dark mode (`_style.css.j2`)."""
_SEEN, _GREY = 1.3, "#9ca3af"


@dataclass(frozen=True, slots=True)
class Brand:
    """Name, colour (`#rrggbb`), logo, support (an address, a URL or a sentence), and the last line of each mail."""

    name: str = ""
    color: str = "#1d4ed8"
    logo: Logo | None = None
    support: str = ""
    footer: str = ""

    @property
    def on_color(self) -> str:
        """White or black, whichever is easier to read on the colour (WCAG 2, relative luminance)."""
        return max(("#ffffff", "#000000"), key=lambda one: _contrast(one, self.color))

    @property
    def outline(self) -> str:
        """The colour itself, or a grey if a button of that colour could not be seen on the background."""
        return self.color if all(_contrast(self.color, card) >= _SEEN for card in CARDS) else _GREY


def _contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours (WCAG 2)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(color: str) -> float:
    red, green, blue = (_linear(int(color[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
