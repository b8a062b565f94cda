"""Hostile mails: whatever names, addresses, override folders and configurations hold, a mail stays a mail.

No header but those that were set, no element but those of our templates, no line that a relay refuses, no crash; of a
hostile value there is text, or a fault in words.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from mail_sender.config.load import load as load_config
from mail_sender.errors import ConfigError
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import Unrenderable, render
from mail_sender.message import Content, CredentialReset, TestMessage
from mail_sender.names import address
from mail_sender.templating import check, template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from mail_sender.templating.template_set import TemplateSet
from tests.support.config_files import CLIENT, SENDER, lines
from tests.support.samples import ELLIE, INTENT, MAIL, NOW, message
from tests.unit.mail.reading import HEADERS, Elements, mail_of

OURS = template_set.built_in().ours
TAGS = sorted(template_set.built_in().wordings)

SPIKES = [
    "\r\nBcc: x@evil.example\r\n\r\nhello", "\nX-Evil: 1", "\r", "\x00", "\u2028", "\x85", "\x0b\x0c\x1c", "\u202e",
    "=?utf-8?q?=0D=0ABcc:_x?=", "=?utf-8?b?DQpCY2M6IHg=?=", "<script>alert(1)</script>", "</title></style><img src=x onerror=x>",
    "<a href='https://evil.example'>", '"><b>', "' onload='x", "<!-- ", "-->", "]]>", "<?x ?>", "&lt;b&gt;", "&#60;i&#62;",
    "{{ 7 * 7 }}", "{% raw %}", "{{ ''.__class__ }}", "{#", "{display_name}", "{nobody}", "{0.__class__}", "{}", "{{", "%s%n",
    ".\r\n.", "--=_x--", "\ud800", "💥" * 400, "x" * 2000, "é" * 600, "a\u0301" * 300, "javascript:alert(1)", "cid:logo@mail",
    "url(https://evil.example/x.png)", "#1d4ed8;background:url(x)", "a@b", "ellie@example.com", "@", "Ellie <e@example.com>", ",", ";", ":", "\\", '"', " ", "\t",
]  # fmt: skip
TEXTS = st.lists(st.one_of(st.sampled_from(SPIKES), st.text(max_size=12)), max_size=4).map("".join)
LINES = TEXTS.map(lambda text: "".join(char for char in text if char.isprintable()).strip() or "x")
MANY = settings(phases=[Phase.explicit, Phase.reuse, Phase.generate], suppress_health_check=[HealthCheck.too_slow])
"""Without shrinking: an example takes some milliseconds."""


def sound(mail: Mail, extra: list[str] | None = None) -> str:
    """Check what holds for every mail; return its page."""
    parsed = mail_of(mail)
    assert parsed.keys() == [*HEADERS[:9], *(extra or []), *HEADERS[9:]]
    assert f"\r\nTo: {mail.recipient}\r\n".encode() in mail.content
    assert mail.recipient == address.parse(mail.recipient)  # so that no part of it can end it (test_address)
    assert [len(parsed[name].addresses) for name in ("From", "Reply-To")] == [1, 1]
    assert not any(part.defects for part in parsed.walk())
    assert mail.needs_utf8 != mail.content.isascii()
    found = mail.content.split(b"\r\n")
    assert max(map(len, found)) <= 998
    octets = set(mail.content.replace(f"\r\nTo: {mail.recipient}\r\n".encode(), b"").replace(b"\r\n", b""))
    assert octets <= {9, *range(32, 127)}
    page = parsed.get_body(("html",))
    assert page is not None
    return str(page.get_content())


def harmless(page: str, plain: str) -> None:
    """Check that a page has the elements of a plain one, and no others."""
    made = Elements(page)
    assert shape(made) == shape(Elements(plain))
    assert made.oddities == []


def shape(page: Elements) -> list[tuple[str, list[str]]]:
    """Return a page's elements with the names of their attributes."""
    return [(tag, [name for name, _ in attributes]) for tag, attributes in page.elements]


def content(kind: str, name: str) -> Content:
    """Return a message's content; both kinds go the same way."""
    return TestMessage(name) if kind == "test" else CredentialReset(name, INTENT, NOW + timedelta(minutes=55))


KINDS = st.sampled_from(["test", "reset"])


CALM = {
    **{tag: replace(MAIL, appearance=Appearance(languages=Languages(tag))) for tag in TAGS},
    "brand": replace(MAIL, appearance=Appearance(brand=Brand("Acme", "#1d4ed8", None, "x", "y"))),
}
"""Harmless configurations: each language, and a brand."""


@cache
def plain(kind: str, name: str) -> str:
    """Return the page of a mail to somebody with a harmless name, by one of the harmless configurations."""
    return sound(render(message(content=content(kind, "Ellie"), number=1), ELLIE, CALM[name], NOW))


@MANY
@given(
    TEXTS, st.one_of(TEXTS, st.emails(), TEXTS.map(lambda text: f"{text}@example.com")), KINDS, st.sampled_from(TAGS)
)
def test_a_hostile_name_and_address_make_a_harmless_mail_or_none(
    name: str, recipient: str, kind: str, tag: str
) -> None:
    """In every language; an address that no envelope can carry is refused in words."""
    of = message(recipient or "x", content=content(kind, name), number=1)
    try:
        mail = render(of, recipient, CALM[tag], NOW)
    except Unrenderable:
        mail = render(of, ELLIE, CALM[tag], NOW)
    # A name that cannot be shown leaves a greeting without one: the elements are the same.
    harmless(sound(mail), plain(kind, tag))


@MANY
@given(LINES, LINES, LINES, LINES, KINDS)
def test_hostile_configuration_values_make_a_harmless_mail(
    name: str, brand: str, support: str, footer: str, kind: str
) -> None:
    """Whatever one line of text is: the instance's name, the brand's, support and footer."""
    hostile = replace(
        MAIL, instance_display_name=name, appearance=Appearance(brand=Brand(brand, "#1d4ed8", None, support, footer))
    )
    of = message(content=content(kind, "Ellie"), number=1)
    harmless(sound(render(of, ELLIE, hostile, NOW)), plain(kind, "brand"))


def toml(text: str) -> str:
    """Return a basic string of TOML that holds the text."""
    plain = text.encode("utf-8", "replace").decode()
    return '"' + "".join(char if char.isalnum() and char.isascii() else f"\\U{ord(char):08x}" for char in plain) + '"'


TEMPLATES = st.lists(
    st.one_of(
        st.sampled_from(SPIKES),
        st.text(max_size=8),
        st.sampled_from([
            "{{ display_name }}", "{{ say.greeting }}", "{{ nobody }}", "{{ instance_url | host }}", "{% if display_name %}",
            "{% endif %}", "{% for say in languages %}", "{% endfor %}", "{% extends '_base.html.j2' %}", "{% include '_base.txt.j2' %}",
            "{% block body %}", "{% endblock %}", "{{ display_name.__class__ }}", "{{ 1 / 0 }}", r"{{ '\ud800\x00' }}", "{{ display_name | e }}",
            "<style>", "</style>", "p{", "}", "@media x {", "<p class='", "{{ range(10 ** 9) }}", "<link rel=stylesheet href=/etc/passwd>",
        ]),
    ),
    max_size=6,
).map("".join)  # fmt: skip


@MANY
@given(TEMPLATES, TEXTS, st.sampled_from(["subject.txt", "body.txt", "body.html"]), TEXTS)
def test_a_hostile_override_makes_a_mail_or_a_fault(template: str, sentence: str, part: str, name: str) -> None:
    """Its own markup is the operator's affair; headers stay ours, and the name in it stays text."""
    theirs = {
        f"test_message_v1/{part}.j2": template,
        "wording/en.toml": f"[test_message_v1]\nworks = {toml(sentence)}\n",
    }
    files = TemplateSet(OURS, theirs)
    list(check.faults(files, Languages()))
    list(check.warnings(files, Languages()))
    of = message(content=TestMessage(name), number=1)
    page = sound(render(of, ELLIE, replace(MAIL, appearance=Appearance(files)), NOW))
    if part != "body.html":
        harmless(page, plain("test", "en"))


KEYS = st.sampled_from([
    "instance_display_name", "mail_from_address", "mail_reply_to_address", "instance_url", "brand.name", "brand.color", "brand.support",
    "brand.footer", "brand.logo_path", "templates.default_language", "templates.second_language", "templates.time_zone",
    "templates.override_path", "headers.X-Extra", "headers.bad name", "headers.Bcc",
])  # fmt: skip


@pytest.fixture(scope="module")
def load(tmp_path_factory: pytest.TempPathFactory) -> Callable[[dict[str, str]], MailConfig]:
    """Return a loader of a good configuration with some values changed."""
    folder = tmp_path_factory.mktemp("hostile")
    (folder / "config").write_text(lines(CLIENT))

    def load(changes: dict[str, str]) -> MailConfig:
        top = {**SENDER, **{key: toml(value) for key, value in changes.items() if "." not in key}}
        tables = [key.partition(".")[::2] for key in changes if "." in key]
        rest = "".join(f'[{table}]\n"{key}" = {toml(changes[f"{table}.{key}"])}\n' for table, key in tables)
        (folder / "mail-sender").write_text(lines(top) + rest)
        return load_config(folder / "config", folder / "mail-sender").mail

    return load


@MANY
@given(
    st.dictionaries(KEYS, TEXTS, min_size=1, max_size=3).filter(
        lambda found: (
            len({key.partition(".")[0] for key in found if "." in key}) == len([key for key in found if "." in key])
        )
    )
)
def test_a_hostile_configuration_is_refused_or_harmless(
    load: Callable[[dict[str, str]], MailConfig], changes: dict[str, str]
) -> None:
    """A fault names the key; what is let in changes no header but the one that it is about."""
    try:
        mail = load(changes)
    except ConfigError:
        return
    of = message(content=TestMessage("Ellie"), number=1)
    brand = mail.appearance.brand
    calm = replace(brand, name="Acme", support=brand.support and "x", footer=brand.footer and "y")
    page = sound(render(of, ELLIE, mail, NOW), [name for name, _ in mail.headers])
    harmless(page, sound(render(of, ELLIE, replace(MAIL, appearance=replace(mail.appearance, brand=calm)), NOW)))
