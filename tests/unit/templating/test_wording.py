"""The sentences: complete in every language, filled in safely, and an operator's in place of ours one by one."""

import re
from html import escape

import pytest

from mail_sender.templating import template_set
from mail_sender.templating.kinds import COMMON, KINDS
from mail_sender.templating.wording import BadLanguage, Wording, base_language, locale, places

CATALOGUES = template_set.built_in().wordings
ENGLISH = CATALOGUES["en"]
OTHERS = sorted(CATALOGUES.keys() - {"en"})


def named(words: Wording, kind: str) -> dict[str, frozenset[str]]:
    """Return the variables that each sentence of a kind names."""
    return {name: places(text) for name, text in words._sentences(kind).items()}


@pytest.mark.parametrize("language", OTHERS)
def test_a_catalogue_has_every_sentence_of_the_english_one(language: str) -> None:
    """In the same tables; none is missing, and none is left over."""
    tables = {table: sorted(sentences) for table, sentences in CATALOGUES[language].tables.items()}
    assert tables == {table: sorted(sentences) for table, sentences in ENGLISH.tables.items()}


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_sentence_names_what_the_english_one_names(language: str, kind: str) -> None:
    """A link's life or a name that gets lost in translation is lost to its readers."""
    assert named(CATALOGUES[language], kind) == named(ENGLISH, kind)


@pytest.mark.parametrize("language", CATALOGUES)
def test_no_sentence_has_a_stray_brace_space_or_line_break(language: str) -> None:
    """What is no placeholder would be shown as it stands."""
    for sentences in CATALOGUES[language].tables.values():
        for sentence in sentences.values():
            assert not set("{}\n\t") & set(re.sub(r"\{\w+\}", "", sentence))
            assert sentence == sentence.strip()
            assert "  " not in sentence


@pytest.mark.parametrize("kind", KINDS)
def test_every_sentence_names_only_variables_of_its_kind(kind: str) -> None:
    """And `support`, which the brand holds."""
    known = {*COMMON, *KINDS[kind], "support"}
    assert all(names <= known for names in named(ENGLISH, kind).values())


@pytest.mark.parametrize("language", OTHERS)
def test_no_sentence_is_left_in_english(language: str) -> None:
    """But for what is the same word: a message's number."""
    same = {
        name
        for kind in KINDS
        for name, sentence in CATALOGUES[language].tables[kind].items()
        if sentence == ENGLISH.tables[kind][name]
    }
    assert same == set()


WORDS = Wording(
    "en", True, {"common": {"hello": "Hello {name}", "bye": "Bye"}, "kind": {"hello": "<{name}> & {name}{name}"}}
)


def test_a_kinds_own_sentence_goes_before_the_common_one() -> None:
    """Another kind has the common one."""
    assert WORDS.filled("kind", {"name": "x"}, str) == {"hello": "<x> & xx", "bye": "Bye"}
    assert WORDS.filled("other", {"name": "x"}, str) == {"hello": "Hello x", "bye": "Bye"}
    assert WORDS.names("kind") == {"hello", "bye"}


def test_sentence_and_variable_are_both_escaped() -> None:
    """Neither a catalogue nor an account can bring markup into HTML."""
    assert WORDS.filled("kind", {"name": "<b>"}, escape)["hello"] == "&lt;&lt;b&gt;&gt; &amp; &lt;b&gt;&lt;b&gt;"


def test_a_variable_is_not_looked_at_for_further_ones() -> None:
    """A name that looks like a placeholder is a name."""
    assert WORDS.filled("other", {"name": "{name}"}, str)["hello"] == "Hello {name}"


def test_a_sentence_without_its_variable_is_left_out() -> None:
    """Whoever asks for it finds nothing, which is an error in a template."""
    assert WORDS.filled("other", {}, str) == {"bye": "Bye"}


TAGS = {
    "de": "de", "de-CH": "de", "zh-Hant": "zh", "zh-Hant-TW": "zh", "pt-BR": "pt",
}  # fmt: skip


@pytest.mark.parametrize("tag", TAGS)
def test_a_tag_has_a_locale_and_a_base_language(tag: str) -> None:
    """Sentences go by the language, dates by the whole tag."""
    assert base_language(tag) == TAGS[tag]
    assert locale(tag).language == TAGS[tag]


@pytest.mark.parametrize("tag", ["", "DE", "de_CH", "deutsch", "xx", "zzz", "../de", "de-", "d", "C"])
def test_what_is_no_language_is_refused(tag: str) -> None:
    """Before any file of that name is looked for."""
    with pytest.raises(BadLanguage):
        locale(tag)
