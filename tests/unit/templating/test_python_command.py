"""A process that is started for templates, or for the configuration, finds what this one finds."""

import subprocess
import sys
from pathlib import Path

import pytest

from mail_sender.templating import process


def test_another_python_finds_modules_and_bytecode_where_this_one_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An image has its bytecode in a folder of its own; without it, each start would compile for a second."""
    monkeypatch.setattr(sys, "pycache_prefix", str(tmp_path))
    code = "print(sys.pycache_prefix, sys.flags.isolated, sys.path)"
    said = subprocess.run(process.python(code), capture_output=True, text=True, check=True).stdout
    assert said == f"{tmp_path} 1 {sys.path}\n"
