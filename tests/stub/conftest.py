"""Fixtures for the tests of the stub: one for each test that changes it, one for those that only ask."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.stub import Stub
from tests.support.stub_in_process import StubInProcess


@pytest.fixture
def stub(tmp_path: Path) -> Iterator[StubInProcess]:
    """Give a running stub with an empty queue."""
    with StubInProcess(tmp_path / "stub") as running:
        yield running


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Stub]:
    """Give the installed program, running on an empty queue, to a test of the process itself."""
    with Stub(tmp_path / "stub") as running:
        yield running


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StubInProcess]:
    """Give a running stub to all tests of a file."""
    with StubInProcess(tmp_path_factory.mktemp("shared") / "stub") as running:
        yield running


@pytest.fixture
def trust(stub: Stub) -> ssl.SSLContext:
    """Give a client context that trusts the stub, as strict as Python 3.13's default one."""
    context = ssl.create_default_context(cafile=str(stub.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
