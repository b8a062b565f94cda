"""Limits and disposable domains, as the configuration file has them."""

from datetime import date
from pathlib import Path
from types import SimpleNamespace

import pytest

from mail_sender.names import hostname
from mail_sender.sender import disposable
from mail_sender.sender.config import ReputationConfig
from mail_sender.sender.disposable import Disposable
from mail_sender.sender.limits import Limits
from mail_sender.sender.warm_up import WarmUp
from tests.support.config_files import Files, fault

RELAY = "[relay]\n"
LIMITS = "per_minute = 60\nper_recipient_per_hour = 5\nwarm_up = { start = 50, factor = 1.5, days = 14 }\n"


def listed(files: Files, text: str | bytes, tail: str = "") -> str:
    """Write a list of domains; return the table that names it."""
    path = files.folder / "disposable.txt"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return f'[recipients]\ndisposable_domains_path = "{path}"\n{tail}'


def test_without_a_key_nothing_is_limited_or_refused(files: Files) -> None:
    """All of it is off by default."""
    reputation = files.load().sender.reputation
    assert reputation == ReputationConfig(Limits(relay="relay.example.com"))
    assert not reputation.limits.are_set


def test_every_limit_has_its_place(files: Files) -> None:
    """As a table of its own as well; a dry run sends nothing, and has none."""
    limits = Limits(60, 5, WarmUp(50, 1.5, 14), "relay.example.com")
    assert files.load(RELAY + LIMITS).sender.reputation.limits == limits
    table = "[relay.warm_up]\nstart = 1\nfactor = 2\ndays = 3\nfrom = 2026-12-01\n"
    assert files.load(table).sender.reputation.limits.warm_up == WarmUp(1, 2, 3, date(2026, 12, 1))
    assert not files.load(
        f'{RELAY}kind = "folder"\npath = "{files.folder}"\n{LIMITS}'
    ).sender.reputation.limits.are_set


@pytest.mark.parametrize(
    ("line", "key", "found", "expected"),
    [
        ("per_minute = 0", "per_minute", "0", "at least 1"),
        ("per_minute = 1000000", "per_minute", "1000000", "at most 100000"),
        ("per_minute = 1.5", "per_minute", "1.5", "a whole number"),
        ("per_recipient_per_hour = -1", "per_recipient_per_hour", "-1", "at least 1"),
        ("warm_up = 50", "warm_up", "50", "expected a table"),
        ("warm_up = { start = 50, factor = 1.5 }", "warm_up.days", "is missing", "required"),
        ("warm_up = { start = 50, factor = 0.5, days = 3 }", "warm_up.factor", "0.5", "at least 1"),
        ("warm_up = { start = 50, factor = nan, days = 3 }", "warm_up.factor", "nan", "at most 10"),
        ("warm_up = { start = 50, factor = 2, days = 900 }", "warm_up.days", "900", "at most 90"),
        ("warm_up = { start = 5, factor = 2, days = 9, from = '2026-12-01' }", "warm_up.from", '"2026-12-01"', "a date without"),
        ("warm_up = { start = 5, factor = 2, days = 9, frm = 2026-12-01 }", "warm_up.frm", "unknown key", 'did you mean "from"?'),
        ("warm_up = { start = 5, factor = 2, days = 9, bogus = 1 }", "warm_up.bogus", "unknown key", "[relay.warm_up] has days, factor, from, start"),
        ("per_minuet = 5", "per_minuet", "unknown key", 'did you mean "per_minute"?'),
    ],
)  # fmt: skip
def test_a_limit_that_cannot_be_meant_is_a_fault(
    files: Files, line: str, key: str, found: str, expected: str
) -> None:
    """With the key, what was found and what was expected."""
    wrong = fault(files, f"{RELAY}{line}\n")
    assert (wrong.key, wrong.line is not None) == (f"relay.{key}", True)
    assert found in wrong.found
    assert expected in wrong.expected


def test_a_list_has_a_domain_on_a_line(files: Files) -> None:
    """Comments, blank lines, wildcards and capitals are fine, and so are names beyond ASCII."""
    text = "\ufeff# throw-away\n\nBad.Example  # a comment\n*.worse.example\n@at.example\r\n.dot.example.\nstraße.example\n"
    reputation = files.load(listed(files, text, 'disposable = "refuse"\n')).sender.reputation
    names = {"bad.example", "worse.example", "at.example", "dot.example", "xn--strae-oqa.example"}
    assert reputation.disposable == Disposable(frozenset(names), refuses=True)
    config = files.load(listed(files, "a.example\n"))
    assert not config.sender.reputation.disposable.refuses
    assert files.folder / "disposable.txt" in config.files  # so that a change of it is noticed
    assert any("it has no domains" in warning for warning in files.load(listed(files, "# none\n")).warnings)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("good.example\nhttps://bad.example/\n", "line 2: it holds ':'"),
        ("a..b\n", "line 1: a part of it is empty"),
        (b"caf\xe9.example\n", "byte 3 is not UTF-8"),
        (b"a.example\n" * 900_000, "has more than 8 MB"),
        ("ä.example\n" * 10_001, "has more than 10000 lines beyond ASCII"),
    ],
)
def test_a_list_that_is_none_is_a_fault(files: Files, text: str | bytes, words: str) -> None:
    """With the line, and what was expected."""
    wrong = fault(files, listed(files, text))
    assert wrong.key == "recipients.disposable_domains_path"
    assert words in wrong.found
    assert "one domain on a line" in wrong.expected


def test_only_names_beyond_ascii_are_converted(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """It takes ten times as long as all else, and a list has 100,000 names: no mail goes out meanwhile."""
    converted = []

    def convert(name: str) -> str:
        converted.append(name)
        return hostname.to_ascii(name)

    monkeypatch.setattr(disposable, "hostname", SimpleNamespace(to_ascii=convert, BadHostName=hostname.BadHostName))
    text = "".join(f"d{number}.example\n*.D{number}.Example # x\n" for number in range(100)) + "ü.example\n"
    assert len(files.load(listed(files, text)).sender.reputation.disposable.domains) == 101
    assert converted == ["ü.example"]


def test_a_list_that_is_not_there_is_a_fault(files: Files) -> None:
    """And so is a word on what to do with it without one."""
    assert "no such file" in fault(files, '[recipients]\ndisposable_domains_path = "/nowhere/list"\n').found
    assert "cannot be read" in fault(files, f'[recipients]\ndisposable_domains_path = "{Path("/")}"\n').found
    assert "disposable_domains_path is not" in fault(files, '[recipients]\ndisposable = "refuse"\n').found
    assert "expected 'warn' or 'refuse'" in fault(files, listed(files, "", 'disposable = "drop"\n')).expected


def test_a_warm_up_that_each_restart_begins_anew_is_warned_of(files: Files) -> None:
    """The ledger in memory forgets its first day."""
    tables = f'{RELAY}{LIMITS}[ledger]\nkind = "memory"\n'
    assert any("each restart begins it anew" in warning for warning in files.load(tables).warnings)
    first_day = tables.replace("days = 14", "days = 14, from = 2026-12-01")
    assert not any("warm-up" in warning for warning in files.load(first_day).warnings)
