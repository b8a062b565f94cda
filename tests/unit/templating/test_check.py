"""Faults of an operator's templates, with file and line, before a mail is made of them; and what is hardly meant."""

import pytest

from mail_sender.templating import check, template_set
from mail_sender.templating.check import Finding
from mail_sender.templating.languages import Languages
from mail_sender.templating.template_set import TemplateSet

KIND = "credential_reset_v1"
BODY = f"{KIND}/body.txt.j2"


def with_files(**theirs: str) -> TemplateSet:
    """Return our set with files of an operator's, the first of them the text of a reset."""
    return TemplateSet(template_set.built_in().ours, theirs)


def faults(text: str, name: str = BODY) -> list[Finding]:
    """Return the faults of one file of an operator's."""
    return list(check.faults(with_files(**{name: text}), Languages()))


def test_our_own_set_is_without_fault_also_as_an_override() -> None:
    """What `template export` writes can be used as it is."""
    ours = template_set.built_in().ours
    assert not [
        *check.faults(TemplateSet(ours, ours), Languages()),
        *check.warnings(TemplateSet(ours, ours), Languages()),
    ]


FOUND = {
    "{{ nobody }}": (1, 'unknown variable "nobody"'),
    "a\nb\n{{ nobody | upper }}": (3, 'unknown variable "nobody"'),
    "{% if\n nobody.x %}{% endif %}": (2, 'unknown variable "nobody"'),
    "{{ fields }}": (1, 'unknown variable "fields"'),
    "{{ config }}": (1, 'unknown variable "config"'),
    "\n{{ say.nobody }}": (2, 'no language has a sentence "nobody"'),
    "\n{% include '_none.txt.j2' %}": (2, 'there is no file "_none.txt.j2"'),
    "{% extends 'base.txt.j2' %}": (1, 'there is no file "base.txt.j2"'),
    "{% import 'macros.j2' as macros %}": (1, 'there is no file "macros.j2"'),
    "{% from 'macros.j2' import one %}": (1, 'there is no file "macros.j2"'),
    "\n{{ 1 | nobody }}": (2, "No filter named 'nobody'"),
    "\n{{ 1 is nobody }}": (2, "No test named 'nobody'"),
    "\n\n{% if %}": (3, "Expected an expression, got 'end of statement block'"),
    "{{ reset_url": (1, "unexpected end of template, expected 'end of print statement'"),
    "{% for x in languages %}": (1, "Unexpected end of template"),
}


@pytest.mark.parametrize("text", FOUND)
def test_a_fault_is_reported_with_file_and_line(text: str) -> None:
    """Unknown variables, sentences, files, filters and tests, and what is no template at all."""
    line, found = FOUND[text]
    (finding,) = faults(text)
    assert (finding.name, finding.line) == (BODY, line)
    assert finding.found.startswith(found)
    assert finding.expected


def test_an_unknown_variable_is_answered_with_those_that_there_are() -> None:
    """The kind's own variables, by name."""
    (finding,) = faults("{{ token }}")
    assert finding.expected == f"{KIND} has display_name, expires_at, expires_in, reset_url, revoke_url of its own"


def test_several_faults_are_reported_at_once() -> None:
    """Each with its line; a variable that is named twice, once."""
    found = faults("{{ a }}\n{{ b }}{{ a }}\n{{ say.none }}")
    assert [(one.line, one.found) for one in found] == [
        (1, 'unknown variable "a"'),
        (2, 'unknown variable "b"'),
        (3, 'no language has a sentence "none"'),
    ]


GOOD = [
    "{{ display_name }}{{ reset_url }}{{ revoke_url }}{{ expires_in }}{{ expires_at | date }}{{ subject }}",
    "{{ instance_display_name }}{{ instance_url }}{{ instance_host }}{{ message_id }}{{ language }}{{ brand.name }}",
    "{% set mine = 1 %}{{ mine }}{% for say in languages %}{{ say.until }}{{ loop.index }}{{ say.language }}{% endfor %}",
    "{% macro one(text) %}{{ text }}{{ caller() }}{% endmacro %}{% call one(1) %}x{% endcall %}",
    "{% extends '_base.txt.j2' %}{% block body %}{{ super() }}{{ self.reason() }}{% endblock %}",
    "{% include ['_none.j2', '_base.txt.j2'] ignore missing %}{{ range(3) | list }}{{ dict(a=1) }}",
    "{% with x = 1 %}{{ x }}{% endwith %}{% set ns = namespace(a=1) %}{% set ns.a = 2 %}{{ ns.a }}",
    "{% from '_base.txt.j2' import one as two, three %}{{ two }}{{ three }}",
]


@pytest.mark.parametrize("text", GOOD)
def test_what_a_template_may_do_is_no_fault(text: str) -> None:
    """Its variables, what it makes itself, and Jinja's own."""
    assert faults(text) == []


def test_a_frame_may_name_the_variables_of_any_kind() -> None:
    """It serves all of them; what none has is a fault there too."""
    assert faults("{{ reset_url }}{{ fields }}{{ say.message }}", "_base.txt.j2") == []
    assert [one.name for one in faults("{{ nobody }}", "_base.txt.j2")] == ["_base.txt.j2"]


BAD_SENTENCES = {
    f'[{KIND}]\nsubject = "x"\nasked = "{{password}}"': (3, 'asked names "{password}", which does not exist'),
    '[test_message_v1]\nworks = "{reset_url}"': (2, 'works names "{reset_url}", which does not exist'),
    '[common]\ngreeting = "{nobody}"': (2, 'greeting names "{nobody}", which does not exist'),
    '[credential_reset]\nsubject = "x"': (None, "[credential_reset] is not a kind of mail"),
}


@pytest.mark.parametrize("text", BAD_SENTENCES)
def test_a_sentence_may_name_only_what_its_kind_has(text: str) -> None:
    """Told with the line where it stands."""
    line, found = BAD_SENTENCES[text]
    (finding,) = faults(text, "wording/en.toml")
    assert (finding.name, finding.line, finding.found) == ("wording/en.toml", line, found)


WITH_HELLO = {f"wording/{tag}.toml": '[new_v1]\nhello = "x"' for tag in template_set.built_in().wordings}


def test_a_good_sentence_is_no_fault() -> None:
    """Also of an unknown kind's own, where a folder is named after it."""
    assert faults(f'[{KIND}]\nasked = "{{reset_url}} {{support}}"', "wording/en.toml") == []
    whole = {f"new_v1/{part}.j2": "{{ say.hello }}{{ fields.x }}" for part in template_set.PARTS}
    assert not list(check.faults(with_files(**whole, **WITH_HELLO), Languages()))


def test_a_kind_of_ones_own_needs_all_parts() -> None:
    """A part that nothing makes is named; and the nearest kind, where it was hardly meant to be a new one."""
    found = list(check.faults(with_files(**{"credential_reset_1/body.txt.j2": "x"}), Languages()))
    assert [(one.name, one.found) for one in found] == [
        ("credential_reset_1/subject.txt.j2", "is missing"),
        ("credential_reset_1/body.html.j2", "is missing"),
    ]
    assert all(one.expected.endswith("did you mean credential_reset_v1?") for one in found)
    (finding, _) = check.faults(with_files(**{"welcome_v1/body.txt.j2": "x"}), Languages())
    assert finding.expected == "a kind needs subject.txt, body.txt, body.html"


def test_one_of_two_bodies_is_warned_of() -> None:
    """The text would say one thing and the HTML another."""
    for mine, other in (("body.txt", "body.html"), ("body.html", "body.txt"), ("body.de.txt", "body.html")):
        (warning,) = check.warnings(with_files(**{f"{KIND}/{mine}.j2": "x"}), Languages("en", "de"))
        assert warning.startswith(f"{KIND}/{mine}.j2 is yours and {KIND}/{other}.j2 is built in")
    crossed = with_files(**{f"{KIND}/body.de.txt.j2": "x", f"{KIND}/body.en.html.j2": "x"})
    assert len(list(check.warnings(crossed, Languages("en", "de")))) == 2
    both = {f"{KIND}/body.txt.j2": "x", f"{KIND}/body.html.j2": "x"}
    assert not list(check.warnings(with_files(**both), Languages()))
    assert not list(check.warnings(with_files(**{f"{KIND}/subject.txt.j2": "x"}), Languages()))


def test_a_kind_of_ones_own_is_needed_in_the_languages_of_mails() -> None:
    """Whichever these are: parts in German alone are all that there need be where mails are in German."""
    parts = {f"welcome_v1/{part}.j2": "x" for part in ("subject.de.txt", "body.de.txt", "body.de.html")}
    assert not list(check.faults(with_files(**parts), Languages("de")))
    found = list(check.faults(with_files(**parts), Languages("de", "en")))
    assert [one.found for one in found] == ["is missing for mails in en"] * 3
    assert len(list(check.faults(with_files(**parts), Languages("en")))) == 3


def test_what_is_included_may_name_what_its_hosts_make() -> None:
    """A loop's variable, or one that was set; in a folder of its own as well, which makes it no kind."""
    files = {
        BODY: "{% for item in [1] %}{% include 'rows/_row.txt.j2' %}{% endfor %}{% set a = 1 %}{% include '_p.txt.j2' %}",
        "rows/_row.txt.j2": "{{ item }}{{ display_name }}",
        "_p.txt.j2": "{{ a }}{{ nobody }}",
    }
    (finding,) = check.faults(with_files(**files), Languages())
    assert (finding.name, finding.found) == ("_p.txt.j2", 'unknown variable "nobody"')


def test_text_is_not_included_in_html() -> None:
    """Nothing in it is escaped: a display name could bring its own links."""
    files = {f"{KIND}/body.html.j2": "\n{% include '_row.txt.j2' %}", "_row.txt.j2": "{{ display_name }}"}
    (finding,) = check.faults(with_files(**files), Languages())
    assert (finding.line, finding.found) == (2, '"_row.txt.j2" is text, in which nothing is escaped')


LOOPS = "{% for a in [] %}" * 25 + "{% endfor %}" * 25


@pytest.mark.parametrize(
    "text", ["{{ " + "(" * 3_000 + "1" + ")" * 3_000 + " }}", "{{ " + "9" * 5_000 + " }}", LOOPS]
)
def test_what_python_cannot_compile_is_a_fault(text: str) -> None:
    """Of the file, not of the program: it is too deep, too long, or more than twenty loops in each other."""
    (finding,) = faults(text)
    assert finding.found.startswith("cannot be compiled")


def test_what_cannot_be_compiled_is_no_fault_of_the_partials_beside_it() -> None:
    """Though what a partial may name depends on all other files."""
    files = {"_row.txt.j2": "{{ display_name }}", BODY: "{{ " + "9" * 5_000 + " }}{% include '_row.txt.j2' %}"}
    assert [one.name for one in check.faults(with_files(**files), Languages())] == [BODY]


ODD_SENTENCES = {
    '[test_message_v1]\ngreting = "Hi"': "[test_message_v1] greting: nothing uses this sentence; did you mean greeting?",
    '[test_message_v1]\nworks = "{brand.name}"': "[test_message_v1] works: a brace that belongs to no variable is sent as it is",
    '[common]\ngreeting = "{ display_name }"': "[common] greeting: a brace that belongs to no variable is sent as it is",
}


@pytest.mark.parametrize("catalogue", ODD_SENTENCES)
def test_a_sentence_that_is_hardly_meant_is_warned_of(catalogue: str) -> None:
    """Misspelt, or with a variable that will not be filled in."""
    (warning,) = check.warnings(with_files(**{"wording/en.toml": catalogue}), Languages())
    assert warning == f"wording/en.toml: {ODD_SENTENCES[catalogue]}"


def test_a_sentence_may_name_texts_alone() -> None:
    """The subject is made of sentences, and `say` is all of them."""
    for place in ("subject", "say", "brand", "language"):
        (finding,) = check.faults(
            with_files(**{"wording/en.toml": f'[test_message_v1]\nworks = "{{{place}}}"'}), Languages()
        )
        assert finding.line == 2


def test_a_file_that_nobody_asks_for_is_warned_of() -> None:
    """With the nearest right name."""
    (warning,) = check.warnings(with_files(**{f"{KIND}/body.html": "x"}), Languages())
    assert warning == f"{KIND}/body.html: nothing uses this file; did you mean {KIND}/body.html.j2?"
    (warning,) = check.warnings(with_files(**{"README.md": "x"}), Languages())
    assert warning == "README.md: nothing uses this file"
