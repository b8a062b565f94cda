"""Fixtures for tests with a real Postfix: the stub whose queue goes through it."""

from tests.support.shared_stub import shared_stub, stub

__all__ = ["shared_stub", "stub"]
