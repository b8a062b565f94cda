"""A mail is a pure function of message, recipient, settings and date, and nothing in a queue entry can bend it."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mail_sender.mail import display_name
from mail_sender.mail.config import MailConfig
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.message import CredentialReset, IntentId, TestMessage, UnknownContent
from mail_sender.names import address
from mail_sender.templating import template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.logo import Logo
from mail_sender.templating.template_set import TemplateSet
from tests.support.samples import ELLIE, INTENT, MAIL, NOW, message, reset
from tests.unit.mail.linker import links
from tests.unit.mail.reading import HEADERS, Elements, bodies, mail_of, rendered


def test_the_same_mail_can_be_made_again() -> None:
    """With its first Date and Message-ID, at any later time: every byte is the same, and so is the digest."""
    of = message(content=reset(), number=1)
    first = render(of, ELLIE, MAIL, NOW, "<7@example.com>")
    again = render(of, ELLIE, MAIL, first.date, first.message_id)
    assert (again, again.digest) == (first, first.digest)
    assert re.search(rb"(?m)^Message-ID: <7@example\.com>\r$", first.content)
    assert render(of, ELLIE, MAIL, NOW + timedelta(minutes=1), "<7@example.com>").digest != first.digest


# What it says


def test_a_reset_says_what_it_is_and_until_when() -> None:
    """Name, both links, and the expiry in words, counted from the Date, stand in text and HTML."""
    mail = rendered(reset("Ellie", NOW + timedelta(hours=2, minutes=5)))
    for body in bodies(mail):
        assert "Ellie" in body
        assert f"https://idm.example.com/ui/reset?token={INTENT}" in body
        assert f"https://idm.example.com/ui/revoke?token={INTENT}" in body
        assert "in 2 hours (21 November 2026, 14:05 UTC)" in " ".join(body.split())


def test_the_expiry_is_counted_from_the_date() -> None:
    """A later Date leaves less time, until the same hour."""
    text, _ = bodies(rendered(reset(expires_at=NOW + timedelta(minutes=55)), date=NOW + timedelta(minutes=30)))
    assert "in 25 minutes (21 November 2026, 12:55 UTC)" in " ".join(text.split())


def test_a_name_that_is_left_out_leaves_a_whole_sentence() -> None:
    """Without a showable name the greeting is just a greeting."""
    for name in ("", "=?utf-8?q?x?=", "\r\n"):
        text, html = bodies(rendered(TestMessage(name)))
        assert text.startswith("Hello,")
        assert "Hello," in html


@pytest.mark.parametrize("name", ["Anna Schmidt, B.Sc.", "anna.schmidt", "https://evil.example/reset", "i❤.ws/reset"])
def test_a_name_that_could_become_a_link_is_shown_and_is_none(name: str) -> None:
    """In text and HTML, whatever mail program reads them."""
    text, html = bodies(rendered(TestMessage(name)))
    greeting = text.splitlines()[0]
    assert greeting == f"Hello {display_name.clean(name)},"
    assert greeting in Elements(html).text
    assert links(greeting) == []


def test_the_name_in_an_unknown_kind_is_cleaned_too() -> None:
    """Its other fields are as the server gave them."""
    files = {
        f"account_expiry_v1/{part}": "{{ fields.display_name }}|{{ fields.url }}"
        for part in ("subject.txt.j2", "body.txt.j2", "body.html.j2")
    }
    content = UnknownContent("account_expiry_v1", {"display_name": "anna.schmidt", "url": "https://a.example"})
    assert bodies(rendered(content, with_files(files)))[0].strip() == "anna. schmidt|https://a.example"


def test_a_message_carries_its_id_for_the_helpdesk() -> None:
    """The body ends with the message's id, by which it is found in the queue."""
    for body in bodies(rendered(TestMessage("x"))):
        assert "00000000-0000-0000-0000-000000000001" in body


# Hostile values


@pytest.mark.parametrize("name", ["<b>Ellie</b> & \"co\" 'x'", "{{ 7 * 7 }} {% if x %}", "&lt;b&gt; &amp;"])
def test_markup_and_template_syntax_in_a_name_are_shown_as_they_are(name: str) -> None:
    """A name is data: HTML shows its characters, and jinja never evaluates it."""
    text, html = bodies(rendered(TestMessage(name)))
    assert f"Hello {name}," in text
    assert f"Hello {name}," in Elements(html).text


@given(st.text(max_size=80), st.text(max_size=80))
def test_an_intent_id_cannot_leave_its_link(before: str, after: str) -> None:
    """An intent id of quotes, markup and line breaks adds no element, attribute or header."""
    token = IntentId((f'{before}"><b>\r\n{after}').encode("utf-8", "replace").decode())
    mail = rendered(CredentialReset("", token, NOW + timedelta(hours=1)))
    assert mail_of(mail).keys() == HEADERS
    made, plain = (Elements(bodies(one)[1]).elements for one in (mail, rendered(reset(""))))
    assert [tag for tag, _ in made] == [tag for tag, _ in plain]


# Faults


@pytest.mark.parametrize("recipient", ["", "ellie@example.com\r\nBcc: x@y.example", "Ellie <ellie@example.com>"])
def test_a_recipient_that_is_no_address_makes_no_mail(recipient: str) -> None:
    """What no envelope can carry (test_address) is the message's own fault, and the address is not repeated."""
    with pytest.raises(Unrenderable) as caught:
        render(message(recipient), recipient, MAIL, NOW)
    assert not recipient or recipient not in str(caught.value)


def test_an_address_beyond_ascii_stands_in_the_mail_as_it_is_and_its_domain_in_ascii() -> None:
    """RFC 6532: its local part has no other spelling; a domain has one, and needs nothing of the relay."""
    mail = render(message("jürgen@exämple.de"), "jürgen@exämple.de", MAIL, NOW)
    assert mail.recipient == "jürgen@xn--exmple-cua.de"
    assert mail.needs_utf8
    assert "\r\nTo: jürgen@xn--exmple-cua.de\r\n".encode() in mail.content
    assert not render(message("ellie@exämple.de"), "ellie@exämple.de", MAIL, NOW).needs_utf8


@pytest.mark.parametrize(
    "recipient", ["foo..bar.@docomo.example", '"a, <b>; c"@example.com', f"{'x' * 982}@example.com"]
)
def test_an_old_address_stands_in_envelope_and_header_as_smtp_can_carry_it(recipient: str) -> None:
    """In the form of the envelope, which a reader of the header takes for that one address."""
    mail = render(message(recipient), recipient, MAIL, NOW)
    assert mail.recipient == address.parse(recipient)
    assert f"\r\nTo: {mail.recipient}\r\n".encode() in mail.content
    (read,) = mail_of(mail)["To"].addresses
    assert f"{read.username}@{read.domain}" == address.spellings(mail.recipient)[-1]
    assert max(map(len, mail.content.split(b"\r\n"))) <= 998


def test_an_unknown_kind_has_no_template() -> None:
    """A kind of some newer server, or one whose files are gone, is named, and is not the message's fault."""
    with pytest.raises(BrokenTemplate, match="account_expiry_v1"):
        rendered(UnknownContent("account_expiry_v1"))
    with pytest.raises(BrokenTemplate, match="credential_reset_v1"):
        rendered(reset(), with_files({}, GOOD))


GOOD = {
    "test_message_v1/subject.txt.j2": "Subject",
    "test_message_v1/body.txt.j2": "Text",
    "test_message_v1/body.html.j2": "<p>HTML</p>",
}
WORDING = {name: text for name, text in template_set.built_in().ours.items() if name.startswith("wording/")}
BROKEN = [
    "{{ nobody }}", "{{ display_name.nothing }}", "{{ display_name() }}", "{% if %}", "{% include 'none' %}", "{{ 1 / 0 }}",
    "{{ display_name + 1 }}", "{{ ''.__class__.__mro__ }}", "{{ display_name | nothing }}", "{{ [][5] }}",
    "{{ range(10 ** 9) | list }}", "{{ 'é'.encode('ascii') }}",
]  # fmt: skip


def with_files(theirs: Mapping[str, str], ours: Mapping[str, str] | None = None) -> MailConfig:
    """Return a config with files of an operator's, and others of ours, if they are given."""
    built_in = template_set.built_in()
    templates = TemplateSet(built_in.ours if ours is None else {**WORDING, **ours}, theirs)
    return replace(MAIL, appearance=Appearance(templates))


@pytest.mark.parametrize("part", GOOD)
@pytest.mark.parametrize("source", BROKEN)
def test_a_broken_template_of_ours_is_named_and_shows_nothing(part: str, source: str) -> None:
    """Whatever goes wrong in a template is the template's fault, named by its file, without what the mail holds."""
    with pytest.raises(BrokenTemplate, match="test_message_v1") as caught:
        rendered(TestMessage("Confidential Ellie"), with_files({}, {**GOOD, part: source}))
    assert "Confidential" not in str(caught.value)


@pytest.mark.parametrize("part", GOOD)
@pytest.mark.parametrize("source", BROKEN)
def test_where_an_operators_template_breaks_ours_makes_the_whole_mail(part: str, source: str) -> None:
    """Somebody waits for it; the mail says which file failed, and not what it holds."""
    mail = rendered(TestMessage("Confidential Ellie"), with_files({**GOOD, part: source}))
    assert mail.fault is not None
    assert part.rpartition(".j2")[0] in mail.fault
    assert "Confidential" not in mail.fault
    assert replace(mail, fault=None) == rendered(TestMessage("Confidential Ellie"))


def test_an_operators_template_that_asks_for_all_memory_makes_no_mail_and_takes_none() -> None:
    """The built-in mail goes out, and the fault says why (test_process has more of such templates)."""
    mail = rendered(TestMessage("x"), with_files({"test_message_v1/body.txt.j2": "{{ 'x'.center(1500000000) }}"}))
    assert mail.fault == (
        "the template test_message_v1/body.txt.j2, line 1, failed: it takes more than 64 MiB of memory"
    )
    assert replace(mail, fault=None) == rendered(TestMessage("x"))


def test_a_fault_names_the_line_that_failed() -> None:
    """In the file where it stands, also where another one includes it."""
    files = {"test_message_v1/body.txt.j2": "{% include '_more.txt.j2' %}", "_more.txt.j2": "a\nb\n{{ 1 / 0 }}"}
    assert "_more.txt.j2, line 3," in str(rendered(TestMessage("x"), with_files(files)).fault)


def test_a_subject_over_several_lines_becomes_one() -> None:
    """Line breaks in a subject's template cannot make headers."""
    config = with_files({"test_message_v1/subject.txt.j2": "One\r\nBcc: two\n\nthree"})
    assert mail_of(rendered(TestMessage("x"), config))["Subject"] == "One Bcc: two three"


# Appearance

LOGO = Logo("png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)), 24, 8)


def with_appearance(**appearance: Any) -> MailConfig:
    """Return a config with this appearance."""
    return replace(MAIL, appearance=Appearance(**appearance))


def test_a_mail_is_in_its_recipients_language_and_in_a_second_one() -> None:
    """One after the other in all three parts, each with its own times; that the second follows is said in it first."""
    mail = rendered(reset(), with_appearance(languages=Languages("en", "fr", {"example.com": "de"})))
    parsed = mail_of(mail)
    assert parsed["Content-Language"] == "de, fr"
    assert parsed["Subject"].index("Zugangsdaten") < parsed["Subject"].index("identifiants")
    for body in bodies(mail):
        assert body.index("Guten Tag Ellie,") < body.index("in 55 Minuten") < body.index("Bonjour Ellie,")
        assert body.index("Bonjour Ellie,") < body.index("dans 55 minutes")
        assert body.index("français se trouve plus bas") < body.index("Guten Tag Ellie,")
        assert body.count("Nachricht 0000") == 1


def test_without_html_a_mail_is_text_alone() -> None:
    """One part, with the headers that say how it is encoded, and no logo."""
    mail = mail_of(rendered(reset(), with_appearance(html=False, brand=Brand(logo=LOGO))))
    assert mail.get_content_type() == "text/plain"
    assert mail.keys() == [*HEADERS, "Content-Transfer-Encoding"]
    assert not mail.is_multipart()
    assert str(INTENT) in mail.get_content()


def test_a_logo_is_part_of_the_mail_that_shows_it() -> None:
    """Beside the page, with the Content-ID by which the page names it (RFC 2387, RFC 2392); nothing is loaded."""
    mail = mail_of(rendered(reset(), with_appearance(brand=Brand(logo=LOGO))))
    text, related = mail.iter_parts()
    assert isinstance(related, EmailMessage)
    assert (text.get_content_type(), related.get_content_type()) == ("text/plain", "multipart/related")
    page, image = related.iter_parts()
    assert isinstance(page, EmailMessage)
    assert isinstance(image, EmailMessage)
    assert (image.get_content_type(), image["Content-Disposition"].content_disposition) == ("image/png", "inline")
    assert image.get_content() == LOGO.content
    assert f'src="cid:{image["Content-ID"].strip("<>")}"' in page.get_content()


def test_a_logo_that_no_template_shows_does_not_go_out() -> None:
    """It would be an attachment."""
    config = with_appearance(
        brand=Brand(logo=LOGO),
        templates=TemplateSet(template_set.built_in().ours, {"_base.html.j2": "{% block body %}{% endblock %}"}),
    )
    mail = mail_of(rendered(reset(), config))
    assert [part.get_content_type() for part in mail.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    """No address but those that a person opens stands in the page."""
    html = bodies(rendered(reset(), with_appearance(brand=Brand(logo=LOGO))))[1]
    attributes = [(tag, *attribute) for tag, found in Elements(html).elements for attribute in found]
    loading = [attribute for attribute in attributes if attribute[1] in {"src", "background"}]
    assert loading == [("img", "src", "cid:logo@mail")]
    assert "url(" not in html
    assert "@import" not in html


def test_the_brand_is_escaped() -> None:
    """What an operator writes is text: markup shows as it stands."""
    brand = Brand("<b>Acme</b>", "#123456", LOGO, '"><i>support</i>', "{{ 7 * 7 }} <u>")
    text, html = bodies(rendered(reset(), with_appearance(brand=brand)))
    page = Elements(html)
    assert not {"b", "i", "u"} & {tag for tag, _ in page.elements}
    for said in (brand.support, brand.footer, "<b>Acme</b>"):
        assert said in page.text
        assert said in text


def test_a_sentence_is_escaped() -> None:
    """An operator's catalogue holds text, not markup; and neither it nor a name is a template."""
    theirs = {"wording/en.toml": '[test_message_v1]\nworks = "<b>{display_name}</b> {{ 7 * 7 }}"'}
    config = with_appearance(templates=TemplateSet(template_set.built_in().ours, theirs))
    text, html = bodies(rendered(TestMessage("<i>Ellie</i>"), config))
    assert "<b><i>Ellie</i></b> {{ 7 * 7 }}" in text
    assert "<b><i>Ellie</i></b> {{ 7 * 7 }}" in Elements(html).text


COMPLETE = """<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "http://www.w3.org/TR/xhtml1/DTD/xhtml1-strict.dtd">
<html><head><meta http-equiv="Content-Type" content="text/html; charset=utf-8"><title>{{ subject }}</title>
<style>p.x { color: #ff0000 } @media (max-width: 480px) { p { margin: 0 } }</style></head>
<body bgcolor="#eeeeee"><!--[if mso]><i>x</i><![endif]--><p class="x">Hi {{ display_name }}, <a href="{{ reset_url }}">go</a></p></body></html>"""


def test_a_complete_document_of_an_operators_stays_one() -> None:
    """Its head and conditional comments stay, its style is moved into the elements."""
    config = with_files({"credential_reset_v1/body.html.j2": COMPLETE})
    mail = rendered(reset("<Ellie>"), config)
    html = bodies(mail)[1]
    assert mail.fault is None
    assert html.startswith("<!DOCTYPE html>")
    assert "color: #ff0000" in html.partition("<body")[2]
    assert "<!--[if mso]><i>x</i><![endif]-->" in html
    assert "Hi &lt;Ellie&gt;," in html
    assert f"https://idm.example.com/ui/reset?token={INTENT}" in html
    assert html.count("<html") == html.count("<body") == 1


@pytest.mark.parametrize(
    "style",
    [
        "<link rel=stylesheet href=/etc/passwd>",
        "<link rel=stylesheet href='file:///etc/passwd'>",
        "<style>@import 'file:///etc/passwd'; } }{ p { </style>",
    ],
)
def test_a_style_is_never_loaded(style: str) -> None:
    """Not from the disk either; and what is no style breaks nothing."""
    mail = rendered(TestMessage("x"), with_files({"test_message_v1/body.html.j2": f"{style}<p>x</p>"}))
    assert b"root:" not in mail.content
    assert mail.fault is None


def test_characters_that_no_mail_can_carry_are_left_out() -> None:
    """Control characters and half surrogate pairs, whatever brought them."""
    odd = r"""a{{ "\x00\x08\x1b\x7f\x9f\ud800" }}b"""
    mail = rendered(TestMessage("x"), with_files(dict.fromkeys(GOOD, odd)))
    assert mail.fault is None
    assert mail_of(mail)["Subject"] == "ab"
    assert [body.strip().removesuffix("</body></html>")[-2:] for body in bodies(mail)] == ["ab", "ab"]


def test_where_an_operators_sentence_breaks_ours_stand_in_too() -> None:
    """Otherwise a sentence that names an unknown variable would be missing from the built-in templates as well."""
    theirs = {"wording/en.toml": '[test_message_v1]\nworks = "{nobody}"\nreason = "Mine"'}
    config = with_appearance(templates=TemplateSet(template_set.built_in().ours, theirs))
    mail = rendered(TestMessage("x"), config)
    assert mail.fault is not None
    assert replace(mail, fault=None) == rendered(TestMessage("x"))
