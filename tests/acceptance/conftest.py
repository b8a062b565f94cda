"""Fixtures for tests of the installed programs: a stub that is polled every second, and a CA of the test's own."""

from pathlib import Path

import pytest

from tests.support import configs
from tests.support.certificates import Authority
from tests.support.shared_stub import shared_stub, stub
from tests.support.stub import Stub

__all__ = ["shared_stub", "stub"]


@pytest.fixture
def brisk(stub: Stub) -> Stub:
    """Give a running stub whose mail-sender config polls every second."""
    configs.change(stub.sender_config, schedule="* * * * * *")
    return stub


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give a CA whose certificate no system trusts."""
    return Authority.make(tmp_path)
