"""What fails only when a template runs is found at start, on samples."""

import pytest

from mail_sender.config import sample_check
from tests.support.config_files import KIND, Files, fault, override


def test_what_only_shows_when_a_template_runs_is_reported(files: Files) -> None:
    """Samples of each kind are made in each choice of languages, one or two, with a name and without."""
    broken = {
        "{% if language == 'de' %}\n{{ 1 / 0 }}{% endif %}": "in de and fr",
        "{% for say in languages %}{% if not loop.first %}\n{{ 1 / 0 }}{% endif %}{% endfor %}": "in en and fr",
        "{% if not display_name %}\n{{ 1 / 0 }}{% endif %}": "in en and fr to somebody without a name",
    }
    spoken = 'second_language = "fr"\nlanguage_rules = { "example.de" = "de" }\n'
    for text, where in broken.items():
        found = fault(files, override(files, **{f"{KIND}/body.txt.j2": text}) + spoken)
        assert f"{KIND}/body.txt.j2, line 2, failed (it divides by zero)" in found.found
        assert found.expected == f"seen in a sample of {KIND} {where}"


def test_a_template_that_takes_too_long_is_a_fault(files: Files) -> None:
    """At start and at a change of the file, not with the first mail; however fast the machine is."""
    loop = "{% for a in range(9999) %}{% for b in range(9999) %}{% if a % 7 %}{% endif %}{% endfor %}{% endfor %}"
    assert "it takes longer than" in fault(files, override(files, **{f"{KIND}/subject.txt.j2": loop})).found


def test_templates_that_take_too_long_do_not_hold_up_a_change_for_minutes(
    files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each sample of many languages would run into the same limit."""
    made: list[object] = []

    def slow(sample: object, *_: object) -> str:
        made.append(sample)
        return "it takes longer than 2 s"

    monkeypatch.setattr(sample_check, "TIME_LIMIT", 0.0)
    monkeypatch.setattr(sample_check, "_fault_of", slow)
    tables = override(files, **{f"{KIND}/subject.txt.j2": "x"})
    assert "takes longer" in fault(files, tables + 'language_rules = { "example.de" = "de" }\n').found
    assert len(made) == 1
