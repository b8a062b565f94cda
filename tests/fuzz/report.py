"""What a search prints: how the cases ended, and each finding, which is kept in a file so that it can be tried again."""

import ast
import sys
from pathlib import Path

from tests.fuzz.target import Case, Finding, Target

KEPT = Path(".cache/fuzz")
_LONGEST = 4_000


def show(target: Target, finding: Finding, name: str) -> None:
    """Print a finding, and keep its case."""
    file = KEPT / f"{target.name}-{name}.case"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(ascii((target.name, finding.case)), encoding="ascii")
    write_line(f"\n{finding.error}\n{_cut(repr(finding.case))}\n{_cut(finding.trace)}")
    write_line(f"again: python -m tests.fuzz --replay {file}\n")


def kept(file: Path) -> tuple[str, Case]:
    """Return a target's name, and the case that was kept."""
    name, case = ast.literal_eval(file.read_text(encoding="ascii"))
    return name, case


def write_line(text: str) -> None:
    """Print a text, whatever stands in it."""
    sys.stdout.write(f"{text}\n".encode(errors="backslashreplace").decode())
    sys.stdout.flush()


def _cut(text: str) -> str:
    return text if len(text) < _LONGEST else f"{text[: _LONGEST // 2]}\n...\n{text[-_LONGEST // 2 :]}"
