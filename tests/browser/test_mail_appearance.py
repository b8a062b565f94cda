"""How each mail looks in a real browser: as wide as a phone and a desktop, light and dark, in every script.

The pictures are kept in `.cache/artefacts/mail-*.png`, for people to look at. What a machine can judge is judged here:
nothing is wider than the window, text stands out from what is behind it, nothing is loaded from elsewhere.
"""

import base64
from dataclasses import replace
from itertools import product

import pytest
from playwright.async_api import Page

from mail_sender.mail.config import MailConfig
from mail_sender.message import IntentId
from mail_sender.templating.brand import Brand
from mail_sender.templating.logo import Logo
from tests.golden import samples
from tests.golden.samples import ACME, KIND_NAMES, REVIEWED, UNREVIEWED
from tests.support.pictures import keep_picture

pytestmark = pytest.mark.debian("chromium-headless-shell", "fonts-dejavu-core")

WIDTHS = (360, 1280)
SCHEMES = ("light", "dark")
LOGO = Logo.of(samples.image(200, 48, b"\xb4\x53\x09"))
BRANDED = replace(ACME, logo=LOGO)
LONG_NAME = "The International Consortium for Very Long Names of Organisations, Société Anonyme " * 2

CONTRAST = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgba = text => text.match(/[\\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const color = rgba(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const texts = [...document.querySelectorAll('p, a, img')].filter(one => one.textContent.trim() || one.alt);
  return Math.min(...texts.map(one => {
    const two = [luminance(rgba(getComputedStyle(one).color)), luminance(behind(one))].sort((a, b) => b - a);
    return (two[0] + 0.05) / (two[1] + 0.05);
  }));
}"""
READABLE = 4.5  # WCAG 2, level AA


def page_of(kind: str, config: MailConfig, *, images: bool = True, intent: IntentId = samples.INTENT) -> str:
    """Return the HTML of a mail, its logo put into it as a mail program does."""
    content = samples.mail(samples.content(kind, intent=intent), config).content
    logos = [part for part in samples.parsed(content).walk() if part.get_content_maintype() == "image"]
    link = (
        f"data:image/png;base64,{base64.b64encode(logos[0].get_content()).decode()}" if logos and images else "data:,"
    )
    return samples.body(content, "html").replace("cid:logo@mail", link)


async def shown(page: Page, html: str, width: int, scheme: str, name: str) -> None:
    """Show a mail, keep its picture, and check what holds for every one."""
    await page.set_viewport_size({"width": width, "height": 800})
    await page.emulate_media(color_scheme="dark" if scheme == "dark" else "light")
    await page.set_content(html)
    await keep_picture(page, f"mail-{name}-{width}-{scheme}")
    assert await page.evaluate("document.documentElement.scrollWidth") <= width, (width, scheme)
    assert await page.evaluate(CONTRAST) >= READABLE, (width, scheme)


@pytest.mark.parametrize(("kind", "language"), [*product(KIND_NAMES, REVIEWED)])
async def test_a_mail_is_easy_to_read(page: Page, kind: str, language: str) -> None:
    """Each kind on a phone and a desktop, light and dark: it fits, and its text stands out."""
    html = page_of(kind, samples.config(language))
    for width, scheme in product(WIDTHS, SCHEMES):
        await shown(page, html, width, scheme, f"{kind}.{language}")


@pytest.mark.debian("fonts-noto-cjk")
@pytest.mark.parametrize(("kind", "language"), [*product(KIND_NAMES, UNREVIEWED)])
async def test_a_mail_of_any_script_fits(page: Page, kind: str, language: str) -> None:
    """Every other language, in its own script."""
    html = page_of(kind, samples.config(language))
    for width in WIDTHS:
        await shown(page, html, width, "light", f"{kind}.{language}")


@pytest.mark.parametrize(("kind", "width", "scheme"), [*product(KIND_NAMES, WIDTHS, SCHEMES)])
async def test_a_branded_mail_of_two_languages_is_easy_to_read(
    page: Page, kind: str, width: int, scheme: str
) -> None:
    """Logo, colour, support and footer are there, and both languages are told apart."""
    await shown(page, page_of(kind, samples.config("de", "en", brand=BRANDED)), width, scheme, f"{kind}.brand")
    box = await page.get_by_alt_text("Acme Accounts").bounding_box()
    assert box
    assert (box["width"] >= 200) is (box["height"] >= 48) is True
    for said in (ACME.support, ACME.footer, "Guten Tag Ellie,", "Hello Ellie,"):
        assert await page.get_by_text(said).first.is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
async def test_without_images_the_name_stands_for_the_logo(page: Page, scheme: str) -> None:
    """Many mail programs show no image until they are asked to: the mail still says whose it is."""
    html = page_of("credential_reset_v1", samples.config("en", brand=BRANDED), images=False)
    await shown(page, html, 360, scheme, "images-off")
    box = await page.get_by_alt_text("Acme Accounts").bounding_box()
    assert box
    assert box["height"] >= 18


@pytest.mark.parametrize(("width", "scheme"), [*product(WIDTHS, SCHEMES)])
async def test_a_wide_logo_stays_in_its_column(page: Page, width: int, scheme: str) -> None:
    """Also in dark mode, where a white border is around it."""
    wide = replace(ACME, logo=Logo.of(samples.image(2000, 200, b"\xb4\x53\x09")))
    html = page_of("credential_reset_v1", samples.config("en", brand=wide))
    await shown(page, html, width, scheme, "wide-logo")
    logo = await page.get_by_alt_text("Acme Accounts").bounding_box()
    text = await page.get_by_text("Hello Ellie,").bounding_box()
    assert logo
    assert text
    assert logo["x"] + logo["width"] <= text["x"] + text["width"]
    assert logo["height"] <= 96


@pytest.mark.parametrize(("width", "scheme"), [*product(WIDTHS, SCHEMES)])
async def test_long_names_and_links_do_not_break_the_frame(page: Page, width: int, scheme: str) -> None:
    """A long instance name, one without spaces, and a long link stay inside the window."""
    config = samples.config("en", brand=Brand(name="X" * 120), name=LONG_NAME.strip())
    html = page_of("credential_reset_v1", config, intent=IntentId("a" * 300))
    await shown(page, html, width, scheme, "long")


@pytest.mark.parametrize("color", ["#ffffff", "#000000", "#ffff00", "#1d4ed8", "#777777", "#ff0000"])
async def test_a_button_of_any_colour_can_be_read(page: Page, color: str) -> None:
    """Whatever the brand's colour, the text on it is the better of white and black."""
    html = page_of("credential_reset_v1", samples.config("en", brand=Brand(color=color)))
    await shown(page, html, 360, "light", f"color-{color[1:]}")


async def test_the_button_is_as_large_as_a_finger(page: Page) -> None:
    """On a phone it is as wide as the card and at least 44 pixels high (WCAG 2.2, 2.5.5)."""
    await page.set_viewport_size({"width": 360, "height": 800})
    await page.set_content(page_of("credential_reset_v1", samples.config("en")))
    box = await page.get_by_role("link", name="Reset credentials", exact=True).bounding_box()
    assert box
    assert box["height"] >= 44
    assert box["width"] >= 250
