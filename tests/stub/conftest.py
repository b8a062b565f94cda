"""Fixtures for the tests of the stub: one stub for each test that changes it, one for those that only ask."""

from __future__ import annotations

import ssl
from collections.abc import Iterator

import pytest

from tests.support.stub import Stub, stub

__all__ = ["stub"]


@pytest.fixture(scope="module")
def shared_stub(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stub]:
    """Give a running stub to all tests of a file."""
    with Stub(tmp_path_factory.mktemp("shared") / "stub") as running:
        yield running


@pytest.fixture
def trust(stub: Stub) -> ssl.SSLContext:
    """Give a client context that trusts the stub, as strict as Python 3.13's default one."""
    context = ssl.create_default_context(cafile=str(stub.ca))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    return context
