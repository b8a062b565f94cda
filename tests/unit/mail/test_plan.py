"""A plan makes the mails that the templates make, byte for byte; a template that does more than place has none."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from mail_sender.mail import plan, plans, variables
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.plan import Plan
from mail_sender.mail.render import BrokenTemplate, Unrenderable, render
from mail_sender.message import Content, CredentialReset, IntentId, Message, TestMessage, UnknownContent
from mail_sender.templating import process, template_set
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Brand
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.languages import Languages
from mail_sender.templating.logo import Logo
from mail_sender.templating.template_set import TemplateSet
from tests.support.samples import ELLIE, MAIL, NOW, message, reset
from tests.unit.mail.test_hostile_appearance import LINES, TAGS, TEXTS

LOGO = Logo("png", b"\x89PNG\r\n\x1a\n", 24, 8)
BRAND = Brand("A & <b>B</b>", "#123456", LOGO, "Write to help@example.com.", "Beispielstraße 1 " * 9)
STYLES = {
    **{tag: Appearance(languages=Languages(tag)) for tag in TAGS},
    "two": Appearance(languages=Languages("de", "en"), zone=ZoneInfo("Europe/Berlin"), brand=BRAND),
    "text": Appearance(html=False, languages=Languages("fr", "ja"), zone=ZoneInfo("Asia/Kolkata")),
}


@cache
def config(style: str) -> MailConfig:
    """Return a configuration that is used again and again."""
    return replace(MAIL, appearance=STYLES[style])


def content(kind: str, name: str) -> Content:
    """Return what a message of a kind holds."""
    return TestMessage(name) if kind == TestMessage.kind else reset(name)


def learned(of: Content, with_: MailConfig) -> Plan | None:
    """Return the plan for such a message."""
    languages = with_.appearance.languages.of(ELLIE)
    return plan.learned(of.kind, with_, variables.varying(message(content=of), with_, NOW, languages))


def slowly(of: Message, with_: MailConfig, date: datetime = NOW) -> Mail:
    """Return the mail as the templates make it: a configuration's first one."""
    return render(of, of.recipients[0], replace(with_), date)


def quickly(of: Message, with_: MailConfig, date: datetime = NOW) -> Mail:
    """Return the mail as its plan makes it, if it has one: one after the first."""
    render(of, ELLIE, with_, date)
    return render(of, of.recipients[0], with_, date)


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", ["Ellie", ""])
def test_each_built_in_mail_has_a_plan_that_makes_it(style: str, kind: str, name: str) -> None:
    """In each language and in two, with brand and logo and without HTML, for a name and for none."""
    of = message(content=content(kind, name))
    assert learned(of.content, config(style))
    assert quickly(of, config(style)) == slowly(of, config(style))


TIMES = st.datetimes(datetime(2026, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - in `timezones`
TOKENS = TEXTS.map(lambda text: IntentId(text.encode("utf-8", "replace").decode()))


@given(st.sampled_from(sorted(STYLES)), TEXTS, TOKENS, TIMES, st.one_of(st.just(ELLIE), st.emails(), TEXTS))
@example("en", "x" * 128, IntentId("a" * 929), NOW, ELLIE)
@example("en", "x" * 128, IntentId("a" * 970), NOW, ELLIE)
@example("de", "Zoë", IntentId("a" * 2000), NOW, ELLIE)
@example("ja", "佐藤 <b>", IntentId("&amp;\xa0\"'<>"), NOW, "jürgen@exämple.de")
@example("en", "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", IntentId("x"), NOW, ELLIE)
def test_hostile_values_make_the_same_mail(
    style: str, name: str, token: IntentId, expires: datetime, recipient: str
) -> None:
    """Every byte of it, whatever the queue's entry holds; long links, which change a part's encoding, too."""
    of = message(recipient or "x", content=CredentialReset(name, token, expires))
    try:
        found = quickly(of, config(style), expires - timedelta(minutes=len(name) * 7))
    except Unrenderable:
        of = replace(of, recipients=(ELLIE,))
        found = quickly(of, config(style), expires - timedelta(minutes=len(name) * 7))
    assert found == slowly(of, config(style), found.date)


@settings(max_examples=20)
@given(LINES, LINES, LINES, LINES, st.sampled_from(sorted(KINDS)))
def test_a_hostile_configuration_makes_the_same_mail(
    instance: str, brand: str, support: str, footer: str, kind: str
) -> None:
    """Its names stand in the constant pieces."""
    style = Appearance(brand=Brand(brand, "#1d4ed8", LOGO, support, footer))
    of, with_ = (
        message(content=content(kind, "O'Hara")),
        replace(MAIL, instance_display_name=instance, appearance=style),
    )
    assert quickly(of, with_) == slowly(of, with_)


TEXT, PAGE = "credential_reset_v1/body.txt.j2", "credential_reset_v1/body.html.j2"
PLANNED = {
    TEXT: [
        "{{ display_name }}\r\n{{ reset_url | host }}{{ expires_at }} {{ expires_at | date }} {{ expires_at | clock }}",
        "{% for say in languages %}{{ loop.index }} {{ say.until | wrap }}{% else %}{{ nothing }}{% endfor %}\x0b{{ message_id }}",
        "{% set x = display_name or instance_url %}{{ x }}{{ x }}\n\n{% if not display_name %}nobody{% endif %}",
        "{% include '_more.txt.j2' %}{{ ' ' }}{{ subject }}",
    ],
    PAGE: [
        "<style>p, a.x:hover { color: red }</style><p title='a > b'>{{ display_name }}<a class='x' href='{{ reset_url }}'>x</a>",
        "<a href=\"{{ reset_url }}#{{ display_name }}\">{{ say.greeting }}</a><title>{{ display_name }}</title>",
        "<table>{{ display_name }}<tr><td>{{ expires_in }}</table><textarea>{{ display_name }}</textarea>",
    ],
}  # fmt: skip
NOT_PLANNED = {
    TEXT: [
        "{{ display_name | upper }}", "{{ display_name | length }}", "{{ display_name ~ 'x' }}", "{{ display_name[:1] }}",
        "{% if display_name == 'Ellie' %}x{% endif %}", "{% if 'E' in display_name %}x{% endif %}", "{% for x in display_name %}{{ x }}{% endfor %}",
        "{% if display_name in ['Ellie'] %}x{% endif %}", "{{ 'x' if display_name is string }}", "{{ [display_name] }}", "{{ [display_name] | join }}",
        "{% set x %}{{ display_name }}{% endset %}{{ x | wrap }}", "{% filter wrap %}{{ say.until }}{% endfilter %}", "{{ say.until | wrap(20) }}",
        "{% macro x() %}{{ display_name }}{% endmacro %}{{ x() | length }}", "{{ '%s' % display_name }}", "{{ expires_at.date() }}",
        "{% if display_name < 'F' %}x{% endif %}", "{{ {display_name: 1} }}", "{{ languages }}", "{{ range(9) | random }}", "{{ lipsum() }}",
        "{% if display_name.upper %}x{% endif %}", "{{ display_name | replace('E', '') }}", "{% include ['_' ~ display_name, '_more.txt.j2'] %}",
        "{{ display_name | trim }}", "{% include instance_url and '_more.txt.j2' %}", "{{ reset_url | wrap(72) }}",
    ],
    PAGE: [
        "<p class='{{ display_name }}'>", "<p title='{{ display_name }}'>", "<!-- {{ display_name }} -->", "<script>{{ display_name }}</script>",
        "<style>p { color: {{ display_name }} }</style><p>x", "<p style='color: {{ display_name }}'>x", "<a href={{ reset_url }}x>x</a>",
        "<style>a[href$=z] { color: red }</style><a href='{{ reset_url }}'>x</a>", "<{{ display_name }}>", "<p {{ display_name }}>x",
        "{{ display_name | safe }}", "{% autoescape false %}{{ display_name }}{% endautoescape %}", "{{ say.until | wrap }}", "{{ say.short | wrap }}",
        "{% include '_more.txt.j2' %}",
        "<link rel=stylesheet href='{{ reset_url }}'>", "<iframe>{{ display_name }}</iframe>", "<noscript>{{ display_name }}</noscript>",
        "<plaintext>{{ display_name }}",
    ],
    "credential_reset_v1/subject.txt.j2": ["{{ display_name }}"],
}  # fmt: skip


def overridden(name: str, template: str) -> MailConfig:
    """Return a configuration with an operator's template."""
    files = {
        name: template,
        "_more.txt.j2": "{{ display_name }} {{ expires_in }}",
        "wording/en.toml": '[credential_reset_v1]\nshort = "{expires_at}"',
    }
    return replace(MAIL, appearance=Appearance(TemplateSet(template_set.built_in().ours, files)))


def cases(found: Mapping[str, list[str]]) -> list[tuple[str, str]]:
    """Return each name with each of its templates."""
    return [(name, template) for name, templates in found.items() for template in templates]


@pytest.mark.parametrize(("name", "template"), cases(PLANNED))
def test_an_operators_template_that_only_places_has_a_plan(name: str, template: str) -> None:
    """It makes the same mail, without its process."""
    with_ = overridden(name, template)
    assert learned(reset(), with_)
    quickly(message(content=reset()), with_)
    for value in ("Ellie", "<b>Zoë</b> & \"Co\" 'x'", "Z" * 128):
        of = message(content=CredentialReset(value, IntentId(f"{value}/&'"), NOW + timedelta(hours=3)))
        assert quickly(of, with_) == slowly(of, with_)


def test_a_plan_of_an_operators_templates_needs_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the second mail on it is not asked."""
    with_ = overridden(TEXT, "{{ display_name }}: {{ reset_url }}")
    quickly(message(content=reset()), with_)
    monkeypatch.setattr(process, "run", None)
    assert b"Frida: https://" in render(message(content=reset("Frida")), ELLIE, with_, NOW).content


@pytest.mark.parametrize(("name", "template"), cases(NOT_PLANNED))
def test_a_template_that_looks_into_a_value_has_no_plan(name: str, template: str) -> None:
    """Its output could depend on the value in any way, or is another one each time: so it runs for each mail."""
    assert learned(reset(), overridden(name, template)) is None


@pytest.mark.parametrize(
    "sentence", ["a\\rb {display_name}", "a\\u0007 {display_name}", "a {display_name} \\u0085 b"]
)
def test_a_sentence_that_comes_out_in_another_way_has_no_plan(sentence: str) -> None:
    """What the templates leave out or change, a plan would not."""
    theirs = {"wording/en.toml": f'[common]\ngreeting = "{sentence}"'}
    with_ = replace(MAIL, appearance=Appearance(TemplateSet(template_set.built_in().ours, theirs)))
    of = message(content=reset())
    assert quickly(of, with_) == slowly(of, with_)


def test_values_that_make_a_part_too_large_make_no_mail() -> None:
    """A limit of the templates is a limit of their plan."""
    of = message(content=CredentialReset("Ellie", IntentId("x" * 200_000), NOW + timedelta(hours=1)))
    quickly(message(content=reset()), config("en"))
    for _ in range(3):
        with pytest.raises(BrokenTemplate, match="256 KiB"):
            render(of, ELLIE, config("en"), NOW)


def test_an_unknown_kind_has_no_plan() -> None:
    """Nobody knows what its fields will be."""
    parts = ("subject.txt.j2", "body.txt.j2", "body.html.j2")
    files = {f"other_v1/{part}": "{{ fields.x }}" for part in parts}
    with_ = replace(MAIL, appearance=Appearance(TemplateSet(template_set.built_in().ours, files)))
    for value in ("one", "two"):
        assert value.encode() in quickly(message(content=UnknownContent("other_v1", {"x": value})), with_).content


def test_a_plan_is_learned_with_the_second_mail_and_there_are_only_so_many() -> None:
    """The first mail is on its way sooner; what comes when all places are taken has none."""
    kept, asked = plans.Plans[int](), list[int]()

    def of(key: int) -> int | None:
        def learn() -> int:
            asked.append(key)
            return key

        return kept.of(key, learn)

    assert [of(1), of(1), of(1)] == [None, 1, 1]
    for key in [*range(2 * plans.MOST)] * 2:
        of(key)
    assert [key for key in range(2 * plans.MOST) if of(key) is not None] == list(range(plans.MOST))
    assert sorted(asked) == list(range(plans.MOST))


def test_each_configuration_has_plans_of_its_own() -> None:
    """A reload begins without any; they are no part of what a configuration says."""
    one, other = replace(MAIL), replace(MAIL)
    quickly(message(content=reset()), one)
    assert one == other
    renamed = replace(one, instance_display_name="Other")
    assert b"Other: Credential" in quickly(message(content=reset()), renamed).content
