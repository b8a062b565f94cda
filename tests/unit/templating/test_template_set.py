"""Which file makes which part: the operator's before ours, a language's before the one for all, and all in a sandbox."""

from pathlib import Path
from typing import Any

import jinja2
import pytest

from mail_sender.templating import sandbox, template_set
from mail_sender.templating.template_files import BadFile
from mail_sender.templating.template_set import NoTemplate, Source, TemplateSet

KIND = "test_message_v1"

CHOICES = {
    ("en",): (["body.txt"], [], "body.txt"),
    ("de",): (["body.txt", "body.de.txt"], [], "body.de.txt"),
    ("de", "theirs for all before ours in German"): (["body.de.txt"], ["body.txt"], "body.txt"),
    ("de", "theirs in German first"): (["body.de.txt"], ["body.txt", "body.de.txt"], "body.de.txt"),
    ("de-CH", "the region first"): (["body.txt"], ["body.de.txt", "body.de-CH.txt"], "body.de-CH.txt"),
    ("de-CH", "then its language"): (["body.txt"], ["body.txt", "body.de.txt"], "body.de.txt"),
    ("fr", "another language's is not ours"): (["body.txt"], ["body.de.txt"], "body.txt"),
}


@pytest.mark.parametrize("choice", CHOICES, ids=" ".join)
def test_a_part_has_its_file(choice: tuple[str, ...]) -> None:
    """The operator's before ours, and of each the language's before the plain one."""
    ours, theirs, expected = CHOICES[choice]
    files = TemplateSet(*({f"{KIND}/{name}.j2": "" for name in names} for names in (ours, theirs)))
    assert files.file(KIND, "body.txt", choice[0]) == f"{KIND}/{expected}.j2"


def test_ours_can_be_asked_for_alone() -> None:
    """What stands in for a broken override is not looked for in it."""
    files = TemplateSet(
        {f"{KIND}/body.txt.j2": "ours"}, {f"{KIND}/body.txt.j2": "theirs", f"{KIND}/body.en.txt.j2": "more"}
    )
    built_in = files.without_overrides
    name = built_in.file(KIND, "body.txt", "en")
    assert (name, built_in.get(name).render()) == (f"{KIND}/body.txt.j2", "ours")
    assert files.get(name).render() == "theirs"


def test_a_part_that_nothing_makes_is_named() -> None:
    """By kind and part."""
    with pytest.raises(NoTemplate, match=r"unknown_v1/body\.html\.j2"):
        template_set.built_in().file("unknown_v1", "body.html", "en")


def test_an_override_replaces_file_by_file(tmp_path: Path) -> None:
    """What is not in the folder stays ours."""
    (tmp_path / KIND).mkdir()
    (tmp_path / KIND / "subject.txt.j2").write_text("Mine")
    (tmp_path / "_base.txt.j2").write_text("Frame: {% block body %}{% endblock %}")
    files = TemplateSet.load(tmp_path)
    assert set(files.theirs) == {f"{KIND}/subject.txt.j2", "_base.txt.j2"}
    assert files.get(f"{KIND}/subject.txt.j2").render() == "Mine"
    assert files.get("_base.txt.j2").render() == "Frame: "
    assert files.ours == template_set.built_in().ours
    assert "_base.txt.j2" in files.theirs
    assert "_base.html.j2" not in files.theirs


def test_a_folder_is_a_kind_where_it_makes_a_part() -> None:
    """Also of a kind that this version does not know; a folder of anything else is none."""
    files = TemplateSet(
        {}, {"new_v1/body.txt.j2": "", "assets/notes.md": "", "a/b/body.txt.j2": "", "wording/de.toml": ""}
    )
    assert files.kinds == ("new_v1",)


# Sentences


def wordings(**theirs: str) -> TemplateSet:
    """Return our set with catalogues of an operator's."""
    names = {language.replace("_", "-"): text for language, text in theirs.items()}
    return TemplateSet(template_set.built_in().ours, {f"wording/{name}.toml": text for name, text in names.items()})


def test_an_operators_catalogue_changes_sentence_by_sentence() -> None:
    """The rest of the table, the other tables and the other languages stay ours."""
    files = wordings(en='[credential_reset_v1]\nsubject = "Mine"\n[common]\nmore = "More"')
    ours = template_set.built_in().wording("en").tables
    assert files.wording("en").tables == {
        **ours,
        "common": {**ours["common"], "more": "More"},
        "credential_reset_v1": {**ours["credential_reset_v1"], "subject": "Mine"},
    }
    assert files.wording("de") == template_set.built_in().wording("de")


def test_a_regions_catalogue_changes_its_languages() -> None:
    """For that region alone: de-CH is de with other sentences, and de-AT is de."""
    files = wordings(de_CH='[common]\ngreeting = "Grüezi {display_name},"')
    assert files.wording("de-CH").tables["common"]["greeting"] == "Grüezi {display_name},"
    assert files.wording("de-CH").tables["common"]["support"] == files.wording("de").tables["common"]["support"]
    assert files.wording("de-AT") == files.wording("de") == template_set.built_in().wording("de")
    assert files.speaks("de-CH")
    assert not files.speaks("sv-SE")


def test_an_operator_may_say_that_a_language_was_reviewed() -> None:
    """A catalogue of their own counts as reviewed, unless it says otherwise."""
    assert not wordings().wording("fr").reviewed
    assert wordings(fr="reviewed = true").wording("fr").reviewed
    assert wordings(sv='[common]\ngreeting = "Hej"').wording("sv").reviewed


BAD_CATALOGUES = {
    "en": ("[common", "not TOML"),
    "de": ("common = 1", "common must be a table of sentences"),
    "fr": ("[common]\ngreeting = 1", "common must be a table of sentences"),
    "xx": ("[common]", "is not a language"),
    "english": ("[common]", "is not a language"),
}


@pytest.mark.parametrize("language", BAD_CATALOGUES)
def test_a_faulty_catalogue_is_named(tmp_path: Path, language: str) -> None:
    """When the folder is read, not with the first mail."""
    text, found = BAD_CATALOGUES[language]
    (tmp_path / "wording").mkdir()
    (tmp_path / "wording" / f"{language}.toml").write_text(text)
    with pytest.raises(BadFile, match=f"{language}.*{found}"):
        TemplateSet.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "found"), [(b"\xff\xfe", "not UTF-8"), (b"x" * (1024 * 1024 + 1), "larger than 1 MiB")]
)
def test_a_file_that_is_no_template_is_named(tmp_path: Path, content: bytes, found: str) -> None:
    """By its name in the folder."""
    (tmp_path / "_base.txt.j2").write_bytes(content)
    with pytest.raises(BadFile, match=rf"_base\.txt\.j2.*{found}"):
        TemplateSet.load(tmp_path)


def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path: Path) -> None:
    """Windows' editors write one."""
    (tmp_path / "wording").mkdir()
    (tmp_path / "_base.txt.j2").write_text("\ufeffx")
    (tmp_path / "wording/en.toml").write_text('\ufeff[common]\ngreeting = "Hi"')
    made = TemplateSet.load(tmp_path)
    assert made.theirs["_base.txt.j2"] == "x"
    assert made.wording("en").tables["common"]["greeting"] == "Hi"


def test_a_mount_of_kubernetes_is_read(tmp_path: Path) -> None:
    """It has the files of its items in a hidden folder, and links to what stands at its top."""
    (tmp_path / "..2026" / KIND).mkdir(parents=True)
    (tmp_path / "..2026" / KIND / "subject.txt.j2").write_text("Mine")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / KIND).symlink_to(f"..data/{KIND}")
    assert TemplateSet.load(tmp_path).theirs == {f"{KIND}/subject.txt.j2": "Mine"}


# What serves what

SERVES = {
    "_base.html.j2": "the frame of every kind", "_style.css.j2": "the frame of every kind",
    "wording/en.toml": "sentences in en", "wording/sv.toml": "sentences in sv", f"{KIND}/body.txt.j2": KIND,
    f"{KIND}/body.de-CH.html.j2": KIND, "new_v1/subject.txt.j2": "new_v1",
}  # fmt: skip
NOBODY_ASKS = {
    f"{KIND}/body.html": f"did you mean {KIND}/body.html.j2?",
    f"{KIND}/body.xx.html.j2": f"did you mean {KIND}/body.html.j2?",
    f"{KIND}/Subject.txt.j2": f"did you mean {KIND}/subject.txt.j2?",
    f"templates/{KIND}/body.txt.j2": f"did you mean {KIND}/body.txt.j2?",
    "_styles.css.j2": "did you mean _style.css.j2?",
    "_base.hmtl.j2": "did you mean _base.html.j2?",
    "wordings/de.toml": "did you mean wording/de.toml?",
    "wording/more/de.toml": "did you mean wording/de.toml?",
    "README.md": "",
}


def test_a_partial_serves_what_names_it() -> None:
    """And nothing where nobody does: its name may have been misspelt."""
    files = {"_mine.html.j2": "", f"{KIND}/body.html.j2": "{% include '_mine.html.j2' %}"}
    (source,) = [one for one in TemplateSet({}, files).sources() if one.name == "_mine.html.j2"]
    assert source == Source("_mine.html.j2", "what includes it")
    (alone,) = TemplateSet(template_set.built_in().ours, {"_mine.html.j2": ""}).sources()
    assert alone.serves is None


@pytest.mark.parametrize("name", SERVES)
def test_what_a_file_serves_is_known(name: str) -> None:
    """As it is logged at start."""
    assert list(TemplateSet(template_set.built_in().ours, {name: ""}).sources()) == [Source(name, SERVES[name])]


@pytest.mark.parametrize("name", NOBODY_ASKS)
def test_a_file_that_nobody_asks_for_has_the_nearest_right_name(name: str) -> None:
    """Misplaced templates are not ignored in silence."""
    assert list(TemplateSet(template_set.built_in().ours, {name: ""}).sources()) == [
        Source(name, None, NOBODY_ASKS[name])
    ]


# The sandbox


def rendered(template: str, **variables: Any) -> str:
    """Return what a template makes of variables."""
    return sandbox.run(TemplateSet({}, {"x.html.j2": template}).get("x.html.j2"), variables)


FORBIDDEN = [
    "{{ ''.__class__ }}", "{{ name.__class__.__mro__ }}", "{{ name.__init__.__globals__ }}", "{{ (name | attr('__class__')).x }}",
    "{{ name['__class__'] }}", "{{ config }}", "{{ environment }}", "{{ self.__init__ }}", "{{ cycler.__init__.__globals__ }}",
    "{{ lipsum.__globals__ }}", "{{ namespace.__class__ }}", "{% import 'os' as os %}", "{% include '/etc/passwd' %}",
    "{% include '../x.html.j2' %}", "{% extends 'pip' %}", "{{ '{0.__class__}'.format(name) }}", "{{ items.append(1) }}",
    "{{ mapping.update({}) }}", "{{ nobody }}", "{{ name.nobody }}",
    "{{ mapping.nobody }}", "{{ name.__str__() }}", "{{ items.__add__([]) }}",
]  # fmt: skip


@pytest.mark.parametrize("template", FORBIDDEN)
def test_a_template_reaches_its_variables_and_nothing_else(template: str) -> None:
    """Neither what is behind a value, nor a file outside the set, nor a change of what it was given."""
    with pytest.raises(jinja2.TemplateError):
        rendered(template, name="Ellie", items=[1], mapping={"a": 1})
