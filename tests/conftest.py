"""Wires the fixtures of tests/support into every test, and makes what they inherit the same everywhere."""

import compileall
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

pytest_plugins = [
    "tests.support.debian",
    "tests.support.postfix",
    "tests.support.postgres",
    "tests.support.process_log",
    "tests.support.tiers",
]

CLONE = Path(__file__).parents[1]
os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = str(CLONE / ".cache/hypothesis")

# Unbuffered, a program meets a full disk at another place than it does for a user.
os.environ.pop("PYTHONUNBUFFERED", None)

# HYPOTHESIS_PROFILE=soak tries five times as many examples, wherever a test does not give a number of its own.
settings.register_profile("default", max_examples=100, deadline=None)
settings.register_profile("soak", max_examples=500, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "default"))

# A shell that starts a job in the background has it ignore Ctrl-C, and so would every program that a test starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_configure(config: pytest.Config) -> None:
    """Compile our packages once, also where Python is told to write no bytecode: hundreds of processes import them."""
    if not hasattr(config, "workerinput"):
        for package in ("mail_sender", "server_stub"):
            compileall.compile_dir(CLONE / package, quiet=1)
