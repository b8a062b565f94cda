"""A preview shows a mail as its reader sees it."""

from dataclasses import replace
from pathlib import Path

import pytest

from mail_sender import preview, preview_basis, preview_page
from mail_sender.brand import Brand, Logo
from mail_sender.template_set import TemplateSet
from tests.golden import specimens
from tests.support import configs
from tests.unit.samples import LETTER

PNG = specimens.image(2, 2, b"\0\0\0")


def test_headers_are_decoded_and_unfolded() -> None:
    """Encoded words and folding are how it travels, not what it says."""
    name = "Zürcher Identität " * 9
    made = preview.made(replace(LETTER, instance_display_name=name.strip()), "test_message_v1", "de")
    assert dict(made.headers)["From"] == f"{name.strip()} <idm@example.com>"
    assert made.subject == f"{name.strip()}: Testnachricht"


def test_the_html_is_a_page_of_its_own_with_its_logo() -> None:
    """A browser has no part of the mail to take it from."""
    look = replace(LETTER.look, brand=Brand(logo=Logo.of(PNG)))
    made = preview.made(replace(LETTER, look=look), "test_message_v1", None)
    assert made.html is not None
    assert "cid:" not in made.html
    assert 'src="data:image/png;base64,iVBORw0KGgo' in made.html


def test_a_mail_without_html_has_none() -> None:
    """As the configuration may say."""
    made = preview.made(replace(LETTER, look=replace(LETTER.look, html=False)), "test_message_v1", None)
    assert made.html is None
    assert "This is a test message" in made.text


def test_a_stand_in_is_shown_as_one(tmp_path: Path) -> None:
    """The fault of the operator's template comes with the built-in mail."""
    (tmp_path / "test_message_v1").mkdir()
    (tmp_path / "test_message_v1/body.txt.j2").write_text("{{ 1 / 0 }}")
    look = replace(LETTER.look, templates=TemplateSet.load(tmp_path))
    made = preview.made(replace(LETTER, look=look), "test_message_v1", None)
    assert "This is a test message" in made.text
    assert "body.txt.j2, line 1, failed" in (made.letter.fault or "")


def test_a_preferred_colour_is_taken_as_asked() -> None:
    """Whatever the browser of the one who looks prefers; without a wish the HTML is as it was."""
    html = "<style>@media screen and ( Prefers-Color-Scheme:dark ) {p{color:red}}</style>"
    dark, light = (preview_page.coloured(html, colours) for colours in ("dark", "light"))
    assert ("screen and (min-width: 0)" in dark, "screen and (max-width: 0)" in light) == (True, True)
    assert preview_page.coloured(html, "") == html


def test_the_page_begins_with_the_mails_that_go_out_in_two_languages(tmp_path: Path) -> None:
    """As people get them; each language alone comes after that."""
    path = configs.sender(tmp_path, templates={"second_language": "de"})
    shown = preview_page.Shown(lambda: preview_basis.read(path))
    page = shown.page()
    assert page.index("English (en) and German (de)") < page.index("/mail/credential_reset_v1/de.")
    both = shown.preview("credential_reset_v1", "en+de").text
    assert both.index("Hello Ellie Example,") < both.index("Guten Tag Ellie Example,")
    with pytest.raises(preview_page.NoPreview):
        shown.preview("credential_reset_v1", "de+en")
