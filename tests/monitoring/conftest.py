"""Fixtures for tests with a real Prometheus: the stub whose queue it watches being sent."""

from tests.support.shared_stub import shared_stub, stub

__all__ = ["shared_stub", "stub"]
