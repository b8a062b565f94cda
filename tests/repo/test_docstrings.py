"""Docstrings, where ruff's rules end: every module, and every test."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.repo import checkout

FORBIDDEN = {"pytest.skip", "pytest.importorskip", "pytest.xfail", "time.sleep"}
FORBIDDEN |= {f"pytest.mark.{mark}" for mark in ("skip", "skipif", "xfail")}


def test_every_module_says_what_it_is() -> None:
    """A module begins with a docstring."""
    assert [str(module) for module in checkout.modules() if not ast.get_docstring(_tree(module))] == []


def test_every_test_states_its_rule() -> None:
    """A test has a docstring: the rule that it guards."""
    silent = [
        f"{module}: {node.name}"
        for module in _tests()
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if node.name.startswith("test_") and not ast.get_docstring(node)
    ]
    assert silent == []


def test_no_test_is_skipped_or_waits_by_sleeping() -> None:
    """A test runs, and waits for an event: skips hide faults, and sleeps are too short or too long."""
    used = [
        f"{module}:{node.lineno}: {name}"
        for module in _tests()
        for node in ast.walk(_tree(module))
        if isinstance(node, ast.Attribute) and (name := ast.unparse(node)) in FORBIDDEN
    ]
    assert used == []


def _tests() -> Iterator[Path]:
    return (module for module in checkout.modules() if module.parts[0] == "tests")


@cache
def _tree(module: Path) -> ast.Module:
    return ast.parse((checkout.ROOT / module).read_text())
