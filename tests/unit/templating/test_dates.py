"""Times in the words of a mail: in its language, in its zone, and plain ASCII wherever the language is."""

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from babel.dates import format_timedelta, get_time_format

from mail_sender.templating import template_set
from mail_sender.templating.dates import TemplateTime
from mail_sender.templating.wording import locale

NOW = datetime(2026, 11, 21, 13, 10, tzinfo=UTC)
FIVE_PAST = datetime(2026, 11, 21, 13, 5, tzinfo=UTC)


def until(left: timedelta, language: str = "en") -> str:
    """Return how a mail says that so much time is left."""
    return TemplateTime(NOW + left, NOW, UTC, locale(language)).relative()


LENGTHS = {
    -3600: "in 0 minutes", 29: "in 1 minute", 60: "in 1 minute", 91: "in 2 minutes", 55 * 60: "in 55 minutes",
    3600: "in 60 minutes", 65 * 60: "in 65 minutes", 119 * 60: "in 119 minutes", 2 * 3600: "in 2 hours",
    47 * 3600: "in 47 hours", 3 * 86_400 + 7200: "in 3 days",
}  # fmt: skip


@pytest.mark.parametrize("seconds", LENGTHS)
def test_how_long_it_is_in_words(seconds: int) -> None:
    """Rounded to the minute, and in the smaller unit up to two of the larger one."""
    assert until(timedelta(seconds=seconds)) == LENGTHS[seconds]


@pytest.mark.parametrize("language", ["en", "pl"])
def test_what_is_kept_of_times_changes_none(language: str) -> None:
    """Seconds that are rounded to the same minute are said in the same words; from two hours on, each by itself."""
    for seconds in range(0, 8_000, 7):
        words = format_timedelta(timedelta(seconds=seconds), "minute", 2, add_direction=True, locale=locale(language))
        assert until(timedelta(seconds=seconds), language) == words


@pytest.mark.parametrize("tag", sorted(template_set.built_in().wordings))
def test_a_time_of_day_has_no_seconds(tag: str) -> None:
    """So the words of a minute can be kept."""
    assert "s" not in re.sub("'.*?'", "", get_time_format("short", locale(tag)).pattern)


def test_the_hour_that_comes_twice_is_told_apart() -> None:
    """At the end of summer time, the same time of day stands twice on the clock, in two zones' names."""
    first = datetime(2026, 10, 25, 0, 30, 59, tzinfo=UTC)
    found = [
        TemplateTime(first + timedelta(hours=hours), first, ZoneInfo("Europe/Berlin"), locale("de")).clock()
        for hours in (0, 1, 0)
    ]
    assert found == ["02:30 MESZ", "02:30 MEZ", "02:30 MESZ"]


PLURALS = {
    "de": ["in 1 Minute", "in 2 Minuten"], "pl": ["za 1 minutę", "za 2 minuty", "za 5 minut"],
    "cs": ["za 1 minutu", "za 2 minuty", "za 5 minut"], "ru": ["через 1 минуту", "через 2 минуты", "через 5 минут"],
    "uk": ["через 1 хвилину", "через 2 хвилини", "через 5 хвилин"], "ja": ["1 分後"], "zh": ["1分钟后"],
}  # fmt: skip


@pytest.mark.parametrize("language", PLURALS)
def test_a_language_has_its_own_plurals(language: str) -> None:
    """One, few and many, as CLDR has them."""
    said = [until(timedelta(minutes=count), language) for count in (1, 2, 5)]
    assert said[: len(PLURALS[language])] == PLURALS[language]


FULL = {
    "en": "21 November 2026, 14:05 CET", "en-US": "November 21, 2026, 2:05 PM CET",
    "de": "21. November 2026, 14:05 MEZ", "de-CH": "21. November 2026, 14:05 MEZ",
    "fr": "21 novembre 2026, 14:05 CET", "ja": "2026年11月21日 14:05 CET",
}  # fmt: skip


@pytest.mark.parametrize("tag", FULL)
def test_a_time_has_its_day_its_time_and_its_zone(tag: str) -> None:
    """In the order of the language; English alone is the one that nobody misreads."""
    assert str(TemplateTime(FIVE_PAST, NOW, ZoneInfo("Europe/Berlin"), locale(tag))) == FULL[tag]


@pytest.mark.parametrize(
    ("zone", "clock"), [("UTC", "13:05 UTC"), ("Europe/Berlin", "14:05 CET"), ("America/Sao_Paulo", "10:05 UTC-03")]
)
def test_a_zone_without_a_name_is_named_by_its_distance(zone: str, clock: str) -> None:
    """A bare "-03" would be read as anything."""
    assert TemplateTime(FIVE_PAST, NOW, ZoneInfo(zone), locale("en")).clock() == clock


def test_no_space_is_one_that_ascii_does_not_have() -> None:
    """CLDR's narrow spaces would be all that makes an English mail unreadable as it is."""
    for language in template_set.built_in().wordings:
        words = str(TemplateTime(NOW, NOW, UTC, locale(language))) + until(timedelta(hours=5), language)
        assert {char for char in words if char.isspace()} <= {" "}
