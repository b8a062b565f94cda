"""A slice of `make fuzz` for every target, and proof that a search finds what it looks for."""

from pathlib import Path
from time import process_time

import pytest
from hypothesis import strategies as st

from mail_sender.config import load
from mail_sender.relay import redaction
from mail_sender.source import wire
from tests.fuzz import secrets
from tests.fuzz.plan import COUNTS, TARGETS
from tests.fuzz.report import kept, show
from tests.fuzz.target import Target, search

SLICE = {"configurations": 40, "answers": 60, "replies": 100}


@pytest.mark.parametrize("name", TARGETS)
def test_whatever_is_said_ends_clearly_and_shows_no_secret(name: str) -> None:
    """What failed once is tried again, and a few new cases in each run of the tests."""
    tally = search(TARGETS[name], SLICE[name], 1)
    assert not tally.findings, "\n".join(f"{one.error}\n{one.case!r}" for one in tally.findings.values())
    assert len(tally.ended) > 2
    assert tally.total >= SLICE[name] * 0.9


def crash(*_: object) -> None:
    raise KeyError("a fault of ours")


def as_it_is(text: str, *_: object, **__: object) -> str:
    return "".join(filter(str.isprintable, text))[:200]


FAULTS = {
    "configurations": (load, "_files", crash, "KeyError"),
    "answers": (wire, "_recipients", crash, "KeyError"),
    "replies": (redaction, "cleaned", as_it_is, "Shown"),
}


@pytest.mark.parametrize("name", TARGETS)
def test_a_fault_of_ours_is_found(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A traceback, or a secret that is not removed: the smallest case of it is told, and can be tried again."""
    module, function, fault, error = FAULTS[name]
    monkeypatch.setattr(module, function, fault)
    tally = search(TARGETS[name], 150, 1)
    assert [found for found in tally.findings if found.startswith(error)], tally.ended


def test_a_case_that_takes_long_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever can keep the processor busy keeps mail waiting."""
    monkeypatch.setattr("tests.fuzz.target.SECONDS", 0.05)

    def slow(case: int) -> str:
        began = process_time()
        while case == 3 and process_time() < began + 0.1:
            pass
        return str(case)

    (finding,) = search(Target("slow", st.integers(0, 5), slow, frozenset()), 20, 1).findings.values()
    assert (finding.error.startswith("Slow"), finding.case) == (True, 3)


def test_a_finding_is_kept_as_the_case_that_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """`--replay` reads what was written, octets and halves of characters too."""
    monkeypatch.chdir(tmp_path)

    def refuse(case: dict[str, object]) -> str:
        raise ValueError(case)

    cases = st.just({"text": "\ud800\u2028é", "octets": b"\0\xff", "number": 1.5})
    target = Target("odd", cases, refuse, frozenset())
    (finding,) = search(target, 1, 1).findings.values()
    show(target, finding, "1")
    assert kept(next(iter(tmp_path.glob(".cache/fuzz/*.case")))) == ("odd", finding.case)
    assert "--replay" in capsys.readouterr().out


def test_a_piece_of_a_secret_is_one() -> None:
    """Cut, in capitals, in hex or in base64."""
    for text in (secrets.PASSWORD[:12], secrets.INTENT.upper(), secrets.TOKEN[-14:], secrets.PASSWORD.encode().hex()):
        with pytest.raises(AssertionError):
            secrets.require_hidden(f"x {text} y")
    secrets.require_hidden("nothing", secrets.PASSWORD, but=[secrets.PASSWORD])


def test_the_whole_search_has_fifty_thousand_cases() -> None:
    """As was promised."""
    assert sum(COUNTS.values()) == 50_000
