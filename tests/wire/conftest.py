"""Fixtures for the wire's bad days: a CA of the test's own, and relays that are played octet by octet."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.support.certificates import Authority
from tests.wire.puppet_relay import Play, PuppetRelay

Puppet = Callable[[Play], PuppetRelay]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """Give a CA whose certificate no system trusts."""
    return Authority.make(tmp_path)


@pytest.fixture
def puppet(authority: Authority) -> Iterator[Puppet]:
    """Give a maker of relays that are ended with the test."""
    with ExitStack() as stack:
        yield lambda play: stack.enter_context(PuppetRelay(play, authority.server()))
