"""The fault plan: the families, found by their files `f01.py`, `f02.py` and so on, each of which has a `FAMILY`."""

from importlib import import_module
from pathlib import Path

from tests.faults.family import Family


def families() -> dict[str, Family]:
    """Return the families by their keys, in the order of the plan."""
    names = sorted(file.stem for file in Path(__file__).parent.glob("f[0-9][0-9].py"))
    found: list[Family] = [import_module(f"tests.faults.{name}").FAMILY for name in names]
    return {family.key: family for family in found}
