"""The digest of what shapes mails: another one for each thing that does, and the same for the same."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest

from mail_sender.mail import digest
from mail_sender.mail.config import MailConfig
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.logo import Logo
from mail_sender.templating.template_set import TemplateSet
from tests.support.samples import MAIL

LOOKS = Appearance()
RELAYS = ["smtp.example.com:465"]
OTHERS = {
    "name": replace(MAIL, instance_display_name="Another"),
    "url": replace(MAIL, instance_url="https://another.example.com"),
    "from": replace(MAIL, from_address="another@example.com"),
    "reply-to": replace(MAIL, reply_to_address="another@example.com"),
    "headers": replace(MAIL, headers=(("X-Other", "1"),)),
    "templates": replace(MAIL, appearance=replace(LOOKS, templates=TemplateSet(LOOKS.templates.ours, {"a": "b"}))),
    "html": replace(MAIL, appearance=replace(LOOKS, html=False)),
    "language": replace(MAIL, appearance=replace(LOOKS, languages=Languages("de"))),
    "second language": replace(MAIL, appearance=replace(LOOKS, languages=Languages(second="de"))),
    "rules": replace(MAIL, appearance=replace(LOOKS, languages=Languages(rules={"example.com": "de"}))),
    "zone": replace(MAIL, appearance=replace(LOOKS, zone=ZoneInfo("Europe/Vienna"))),
    "colour": replace(MAIL, appearance=replace(LOOKS, brand=Brand(color="#000000"))),
    "logo": replace(MAIL, appearance=replace(LOOKS, brand=Brand(logo=Logo("png", b"1", 1, 1)))),
}


def test_the_same_has_the_same_digest() -> None:
    """Whatever the order in which rules or files were read."""
    one, other = (
        replace(MAIL, appearance=replace(LOOKS, languages=Languages(rules=dict(rules))))
        for rules in ([("a.example", "de"), ("b.example", "fr")], [("b.example", "fr"), ("a.example", "de")])
    )
    assert digest.of(one, RELAYS) == digest.of(other, RELAYS)
    assert digest.of(MAIL, RELAYS) != digest.of(MAIL, ["other.example.com:465"])


@pytest.mark.parametrize("what", OTHERS)
def test_each_thing_that_shapes_a_mail_shows(what: str) -> None:
    """Also a logo of the same size, and a language for some."""
    changed: MailConfig = OTHERS[what]
    assert digest.of(changed, RELAYS) != digest.of(MAIL, RELAYS)
