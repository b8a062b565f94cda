"""Docstrings, where ruff's rules end: every module, and every test."""

import ast
from pathlib import Path

import pytest

from tests.repo import checkout

TESTS = [module for module in checkout.modules() if module.parts[0] == "tests"]
FORBIDDEN = {"pytest.skip", "pytest.importorskip", "pytest.xfail", "time.sleep"}
FORBIDDEN |= {f"pytest.mark.{mark}" for mark in ("skip", "skipif", "xfail")}


@pytest.mark.parametrize("module", checkout.modules(), ids=str)
def test_every_module_says_what_it_is(module: Path) -> None:
    """A module begins with a docstring."""
    assert ast.get_docstring(_tree(module))


@pytest.mark.parametrize("module", TESTS, ids=str)
def test_every_test_states_its_rule(module: Path) -> None:
    """A test has a docstring: the rule that it guards."""
    functions = (node for node in ast.walk(_tree(module)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    silent = [each.name for each in functions if each.name.startswith("test_") and not ast.get_docstring(each)]
    assert silent == []


@pytest.mark.parametrize("module", TESTS, ids=str)
def test_no_test_is_skipped_or_waits_by_sleeping(module: Path) -> None:
    """A test runs, and waits for an event: skips hide faults, and sleeps are too short or too long."""
    used = {ast.unparse(node) for node in ast.walk(_tree(module)) if isinstance(node, ast.Attribute)}
    assert used & FORBIDDEN == set()


def _tree(module: Path) -> ast.Module:
    return ast.parse((checkout.ROOT / module).read_text())
