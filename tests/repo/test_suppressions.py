"""What checks are told to overlook: one finding at a time, by its code, and with the reason beside it."""

import io
import re
import tokenize
from collections.abc import Iterator

import pytest
import tomli

from tests.repo import checkout

CODE = r"[A-Z]+[0-9]+"
MARKS = re.compile(rf"# noqa: {CODE}(?:, {CODE})*|# type: ignore\[[a-z-]+(?:, ?[a-z-]+)*\]")
ANY_MARK = re.compile(r"#\s*(?:noqa|type:\s*ignore|ruff:|mypy:|pragma|nosec|pylint:)", re.IGNORECASE)


def without_reason(source: str) -> Iterator[int]:
    """Yield the lines whose mark overlooks everything, or says no reason, there or in a comment right above."""
    lines = source.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type != tokenize.COMMENT or not ANY_MARK.search(token.string):
            continue
        number, rest = token.start[0], MARKS.sub("", token.string)
        above = lines[number - 2].strip() if number > 1 else ""
        has_reason = len(rest.strip(" #-")) >= 4 or (above.startswith("#") and not ANY_MARK.search(above))
        if ANY_MARK.search(rest) or not has_reason:
            yield number


def test_whatever_is_overlooked_in_the_code_has_its_code_and_its_reason() -> None:
    """Who reads it must be able to judge whether that still holds."""
    found = [
        f"{file}:{line}" for file in checkout.modules() for line in without_reason((checkout.ROOT / file).read_text())
    ]
    assert found == []


@pytest.mark.parametrize(
    ("source", "lines"),
    [
        ("x = 1  # noqa\n", [1]),
        ("x = 1  # noqa: S105\n", [1]),
        ("x = 1  # type: ignore\n", [1]),
        ("x = 1  # type: ignore  # because\n", [1]),
        ("y = 2\nx = 1  # type: ignore[misc]\n", [2]),
        ("# ruff: noqa\n", [1]),
        ("x = 1  # noqa: S105, S106 - made up\n", []),
        ("x = 1  # type: ignore[misc, arg-type]  # because\n", []),
        ("# There is no other way.\nx = 1  # type: ignore[misc]\n", []),
        ("x = '# noqa'\n", []),
    ],
)
def test_a_mark_without_code_or_reason_is_found(source: str, lines: list[int]) -> None:
    """And one that has both is fine."""
    assert list(without_reason(source)) == lines


def test_no_rules_of_a_kind_are_overlooked_in_a_folder() -> None:
    """`S` would be all that bandit looks for; of security, each rule is named, and the checks of types are strict."""
    settings = tomli.loads((checkout.ROOT / "pyproject.toml").read_text())
    ruff = settings["tool"]["ruff"]["lint"]
    codes = [*ruff["ignore"], *(code for ignored in ruff["per-file-ignores"].values() for code in ignored)]
    assert "S" in ruff["select"]
    assert [code for code in codes if not re.fullmatch(r"[A-Z]+[0-9]{3,4}", code)] == []
    assert [code for code in ruff["ignore"] if code.startswith("S1") or re.fullmatch(r"S[0-9]+", code)] == []
    mypy = settings["tool"]["mypy"]
    assert mypy["strict"] is True
    for override in mypy.get("overrides", []):
        assert override.keys() == {"module", "ignore_missing_imports"}
        assert not [module for module in override["module"] if module.startswith(("mail_sender", "tests", "*"))]
