"""The look out of a configuration file: what each key does, and each fault of the files that it names."""

import os
from dataclasses import replace
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from mail_sender.config.config import Config
from mail_sender.errors import ConfigError
from mail_sender.templating.brand import Brand
from mail_sender.templating.languages import Languages
from tests.golden import samples
from tests.support.config_files import KIND, Files, fault, override

PNG = samples.image(2, 2, b"\x00\x00\x00")


def about_words(loaded: Config) -> list[str]:
    """Return the warnings about languages and templates."""
    return [warning for warning in loaded.warnings if "native" in warning or "templates" in warning]


def test_without_any_key_the_look_is_ours(files: Files) -> None:
    """English, UTC, HTML, no brand but the instance's name."""
    appearance = files.load().mail.appearance
    assert (appearance.languages, appearance.html, appearance.brand) == (Languages(), True, Brand())
    assert str(appearance.zone) == "UTC"
    assert not appearance.templates.theirs


def test_every_key_has_its_place(files: Files) -> None:
    """From the tables to the look."""
    (files.folder / "logo.png").write_bytes(PNG)
    appearance = files.load(
        override(files, **{f"{KIND}/subject.txt.j2": "Mine"})
        + 'html = false\ndefault_language = "de"\nsecond_language = "en"\ntime_zone = "Europe/Berlin"\n'
        + 'language_rules = { "Example.FR" = "fr", "ellie@example.fr" = "de" }\n'
        + f'[brand]\nname = "Acme"\ncolor = "#B45309"\nlogo_path = "{files.folder}/logo.png"\n'
        + 'support = "help@example.com"\nfooter = "Acme GmbH"\n'
    ).mail.appearance
    assert appearance.languages == Languages("de", "en", {"example.fr": "fr", "ellie@example.fr": "de"})
    assert (appearance.html, appearance.zone) == (False, ZoneInfo("Europe/Berlin"))
    assert replace(appearance.brand, logo=None) == Brand("Acme", "#b45309", None, "help@example.com", "Acme GmbH")
    assert appearance.brand.logo
    assert (appearance.brand.logo.type, appearance.brand.logo.content) == ("png", PNG)
    assert appearance.templates.theirs == {f"{KIND}/subject.txt.j2": "Mine"}


BAD_VALUES = {
    '[templates]\ndefault_language = "german"\n': ("templates.default_language", "language tag"),
    '[templates]\nsecond_language = "xx"\n': ("templates.second_language", "no such language"),
    '[templates]\nlanguage_rules = { "a b" = "de" }\n': (
        "templates.language_rules",
        "an address or a domain on the left",
    ),
    '[templates]\ntime_zone = "Berlin"\n': ("templates.time_zone", "such as Europe/Berlin"),
    '[templates]\ntime_zone = "../../etc/passwd"\n': ("templates.time_zone", "such as Europe/Berlin"),
    '[brand]\ncolor = "blue"\n': ("brand.color", "such as #1d4ed8"),
    '[brand]\ncolor = "#1d4ed8;}"\n': ("brand.color", "such as #1d4ed8"),
    '[brand]\nname = "a\\nb"\n': ("brand.name", "one line of text"),
    '[brand]\nfooter = "\\u0000"\n': ("brand.footer", "one line of text"),
    '[brand]\nlogo = "x.png"\n': ("brand.logo", "logo_path"),
}


@pytest.mark.parametrize("tables", BAD_VALUES)
def test_a_bad_value_is_named(files: Files, tables: str) -> None:
    """With its key, and what was expected."""
    key, expected = BAD_VALUES[tables]
    found = fault(files, tables)
    assert found.key.startswith(key)
    assert expected in found.expected


@pytest.mark.parametrize("key", ["default_language", "second_language", "language_rules"])
def test_a_language_without_sentences_is_a_fault(files: Files, key: str) -> None:
    """It says which languages there are, and where more go, before the first mail in it."""
    value = '{ "example.se" = "sv" }' if key == "language_rules" else '"sv"'
    found = fault(files, f"[templates]\n{key} = {value}\n")
    assert found.key == f"templates.{key}"
    assert found.found == "there are no sentences in sv"
    assert "cs, de, en, es, fr" in found.expected
    assert "wording/" in found.expected


def test_a_language_of_ones_own_has_to_be_complete(files: Files) -> None:
    """A sentence that is missing is named, with what it says in English; with all of them there is no fault."""
    whole = (Path(__file__).parents[3] / "templates/wording/en.toml").read_text()
    tables = override(files, **{"wording/sv.toml": whole}) + 'default_language = "sv"\n'
    assert about_words(files.load(tables)) == []
    override(
        files,
        **{"wording/sv.toml": "".join(line for line in whole.splitlines(keepends=True) if "button" not in line)},
    )
    with pytest.raises(ConfigError) as caught:
        files.load(tables)
    (found,) = caught.value.faults
    assert found.path.name == "sv.toml"
    assert found.found == f"has no sentence button in [{KIND}] or [common]"
    assert found.expected == "in English it is: Reset credentials"


def test_a_language_that_nobody_has_reviewed_is_warned_of(files: Files) -> None:
    """Once for each language in use; English and German are reviewed."""
    tables = '[templates]\ndefault_language = "fr"\nsecond_language = "de"\nlanguage_rules = { "example.jp" = "ja", "x.example" = "fr" }\n'
    warnings = about_words(files.load(tables))
    assert [warning.split(" yet")[0] for warning in warnings] == [
        "no native speaker has reviewed the sentences in fr",
        "no native speaker has reviewed the sentences in ja",
    ]


BAD_OVERRIDES = {
    f"{KIND}/body.txt.j2": ("a\n{{ nobody }}", 2, 'unknown variable "nobody"'),
    "wording/en.toml": ("x", None, "is not TOML"),
}


@pytest.mark.parametrize("name", BAD_OVERRIDES)
def test_a_fault_in_an_override_is_reported_with_its_file_and_line(files: Files, name: str) -> None:
    """The file itself is named, not the configuration's line."""
    text, line, found = BAD_OVERRIDES[name]
    first = files.faults(override(files, **{name: text}))[0]
    assert (first.path, first.line) == (files.folder / "templates" / name, line)
    assert first.found.startswith(found)


def test_a_folder_without_files_is_warned_of(files: Files) -> None:
    """It is named for a reason."""
    (files.folder / "templates").mkdir()
    (warning,) = about_words(files.load(override(files)))
    assert "it has no files" in warning


def test_a_rule_for_a_domain_beyond_ascii_counts(files: Files) -> None:
    """Recipients' domains are in ASCII when rules are looked at, however either is written."""
    rules = '[templates]\nlanguage_rules = { "bücher.example" = "de", "xn--caf-dma.example" = "fr" }\n'
    languages = files.load(rules).mail.appearance.languages
    assert languages.of("anna@xn--bcher-kva.example") == ("de",)
    assert languages.of("anna@xn--caf-dma.example") == ("fr",)


def test_a_misplaced_file_and_half_a_pair_are_warned_of(files: Files) -> None:
    """The mails go out, and the log says what is odd."""
    warnings = about_words(files.load(override(files, **{f"{KIND}/body.html": "x", f"{KIND}/body.txt.j2": "x"})))
    assert len(warnings) == 2
    assert f"did you mean {KIND}/body.html.j2?" in warnings[0]
    assert "body.txt.j2 is yours and credential_reset_v1/body.html.j2 is built in" in warnings[1]


@pytest.mark.parametrize(
    ("content", "found"), [(None, "no such file"), (b"<svg/>", "is not a PNG"), (PNG + b"x" * 300_000, "293 KiB")]
)
def test_a_broken_logo_is_a_fault(files: Files, content: bytes | None, found: str) -> None:
    """Missing, of a type that mail programs do not show, or too large."""
    if content is not None:
        (files.folder / "logo").write_bytes(content)
    broken = fault(files, f'[brand]\nlogo_path = "{files.folder}/logo"\n')
    assert broken.key == "brand.logo_path"
    assert found in broken.found


@pytest.mark.parametrize("key", ["brand]\nlogo_path", "templates]\noverride_path"])
def test_what_is_no_path_is_a_fault(files: Files, key: str) -> None:
    """A NUL stands in no file's name; and neither a file nor a folder is the other."""
    there = files.client if "override" in key else files.folder
    for path in ("a\\u0000b", there):
        assert fault(files, f'[{key} = "{path}"\n').key == key.replace("]\n", ".")


def test_an_override_that_is_no_folder_is_a_fault(files: Files) -> None:
    """Kratos uses its own templates then, and says nothing."""
    found = fault(files, f'[templates]\noverride_path = "{files.folder}/none"\n')
    assert (found.key, found.expected) == ("templates.override_path", "expected a folder of templates")


def test_every_file_of_the_appearance_has_a_say_in_the_configuration(files: Files) -> None:
    """A change of one of them is a change of the configuration: so is a new one, by its folder."""
    (files.folder / "logo.png").write_bytes(PNG)
    tables = override(files, **{f"{KIND}/body.txt.j2": "x", "wording/en.toml": ""})
    read = {str(path) for path in files.load(tables + f'[brand]\nlogo_path = "{files.folder}/logo.png"\n').files}
    own = [f"templates/{KIND}", f"templates/{KIND}/body.txt.j2"]
    expected = ["logo.png", "templates", *own, "templates/wording/en.toml"]
    assert {os.fspath(files.folder / name) for name in expected} <= read
