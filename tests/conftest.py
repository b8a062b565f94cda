"""Wires the fixtures of tests/support into every test; nothing else happens here."""

import os
from pathlib import Path

pytest_plugins = ["tests.support.browser", "tests.support.debian", "tests.support.postfix"]

os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(Path(__file__).parents[1] / ".cache/hypothesis")
