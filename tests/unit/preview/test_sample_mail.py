"""A preview shows a mail as its reader sees it."""

from dataclasses import replace
from pathlib import Path

import pytest

from mail_sender.errors import MailSenderError
from mail_sender.preview import lenient_config, page
from mail_sender.preview.sample_mail import render_sample
from mail_sender.templating.brand import Brand
from mail_sender.templating.logo import Logo
from mail_sender.templating.template_set import TemplateSet
from tests.golden import samples
from tests.support import configs
from tests.support.samples import MAIL

PNG = samples.image(2, 2, b"\0\0\0")


def test_headers_are_decoded_and_unfolded() -> None:
    """Encoded words and folding are how it travels, not what it says."""
    name = "Zürcher Identität " * 9
    made = render_sample(replace(MAIL, instance_display_name=name.strip()), "test_message_v1", "de")
    assert dict(made.headers)["From"] == f"{name.strip()} <idm@example.com>"
    assert made.subject == f"{name.strip()}: Testnachricht"


def test_the_html_is_a_page_of_its_own_with_its_logo() -> None:
    """A browser has no part of the mail to take it from."""
    appearance = replace(MAIL.appearance, brand=Brand(logo=Logo.of(PNG)))
    made = render_sample(replace(MAIL, appearance=appearance), "test_message_v1", None)
    assert made.html is not None
    assert "cid:" not in made.html
    assert 'src="data:image/png;base64,iVBORw0KGgo' in made.html


def test_a_mail_without_html_has_none() -> None:
    """As the configuration may say."""
    made = render_sample(replace(MAIL, appearance=replace(MAIL.appearance, html=False)), "test_message_v1", None)
    assert made.html is None
    assert "This is a test message" in made.text


def test_a_stand_in_is_shown_as_one(tmp_path: Path) -> None:
    """The fault of the operator's template comes with the built-in mail."""
    (tmp_path / "test_message_v1").mkdir()
    (tmp_path / "test_message_v1/body.txt.j2").write_text("{{ 1 / 0 }}")
    appearance = replace(MAIL.appearance, templates=TemplateSet.load(tmp_path))
    made = render_sample(replace(MAIL, appearance=appearance), "test_message_v1", None)
    assert "This is a test message" in made.text
    assert "body.txt.j2, line 1, failed" in (made.mail.fault or "")


def test_a_preferred_colour_is_taken_as_asked() -> None:
    """Whatever the browser of the one who looks prefers; without a wish the HTML is as it was."""
    html = "<style>@media screen and ( Prefers-Color-Scheme:dark ) {p{color:red}}</style>"
    dark, light = (page.coloured(html, colours) for colours in ("dark", "light"))
    assert ("screen and (min-width: 0)" in dark, "screen and (max-width: 0)" in light) == (True, True)
    assert page.coloured(html, "") == html


def test_the_page_begins_with_the_mails_that_go_out_in_two_languages(tmp_path: Path) -> None:
    """As people get them; each language alone comes after that."""
    path = configs.sender(tmp_path, templates={"second_language": "de"})
    previews = page.Previews(lambda: lenient_config.read(path))
    text = previews.page()
    assert text.index("English (en) and German (de)") < text.index("/mail/credential_reset_v1/de.")
    both = previews.sample("credential_reset_v1", "en+de").text
    assert both.index("Hello Ellie Example,") < both.index("Guten Tag Ellie Example,")
    with pytest.raises(MailSenderError):
        previews.sample("credential_reset_v1", "de+en")
