"""Characters that nobody sees are shown by their code points."""

from pathlib import Path

import pytest

from mail_sender.names.characters import code_point, visible
from tests.support.config_files import Files, only


@pytest.mark.parametrize(
    "char", "\u200b\u200d\u00ad\u2060\ufeff\u00a0\u3000\u202e\u034f\u3164\ufe0f\u2800\U000e0041\n\x1b\ud800"
)
def test_a_character_that_cannot_be_seen_is_shown(char: str) -> None:
    """Spaces of no width, other spaces, directions, fillers, tags, control characters, halves of pairs."""
    assert visible(f"a{char}b") == f"a<U+{ord(char):04X}>b"


def test_what_can_be_seen_stays_as_it_is() -> None:
    """Accents and other scripts too."""
    for text in ("Müller & Söhne", "例え", "a b", "…—'\"", "e\u0301"):
        assert visible(text) == text
    assert code_point("\u200b") == "U+200B (zero width space)"


VALUES = {
    "instance_url": '"https://idm\\u200b.example.com"',
    "mail_from_address": '"idm\\u200b@example.com"',
    "mail_reply_to_address": '"idm@exa\\u200bmple.com"',
    "schedule": '"*/5 * * * * \\u200b*"',
}


@pytest.mark.parametrize("key", VALUES)
def test_a_fault_shows_what_cannot_be_seen_in_the_value_that_it_repeats(tmp_path: Path, key: str) -> None:
    """Otherwise it looks like the value that was expected."""
    assert "<U+200B>" in str(only(Files(tmp_path).faults(**{key: VALUES[key]})))


TABLES = [
    "[relay]\nlocal_name = 'idm\u200b.example.com'\n", "[relay]\nca_path = '/nowhere/ca\u200b.pem'\n",
    "[relay]\n'ca_path\u200b' = 'x'\n", "[templates]\ntime_zone = 'UTC\u200b'\n", "[brand]\ncolor = '#1d4ed8\u200b'\n",
    "[observe]\nlog_format = 'json\u200b'\n", "[headers]\n'X-Tag\u200b' = 'x'\n",
    "[templates]\ndefault_language = 'en\u200b'\n", "[templates]\noverride_path = '/nowhere\u200b'\n",
]  # fmt: skip


@pytest.mark.parametrize("tables", TABLES)
def test_every_fault_of_our_tables_shows_it_too(tmp_path: Path, tables: str) -> None:
    """In values, paths, and the names of keys."""
    assert "<U+200B>" in str(only(Files(tmp_path).faults(tables)))
