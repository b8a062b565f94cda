"""An event loop whose time is made up: where nothing is ready it jumps to the next timer, so that an hour is over at once.

Threads live in real time. While one of them still owes something to the loop, time stands still and the loop waits for
it as any other would: executor jobs are counted by the loop itself, others by what is handed to `wait_for`.

A test module takes this loop with `pytestmark = VIRTUAL_TIME`; the hook must stand in its folder's conftest. Nothing
that goes over a socket can be tested on it.
"""

import asyncio
import selectors
from collections.abc import Callable, Mapping
from typing import Any

import pytest

VIRTUAL_TIME = pytest.mark.asyncio(loop_factories=["virtual"])
PATIENCE = 30.0
"""Real seconds for which a thread may keep the loop waiting."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """A loop that begins at 0 seconds."""

    def __init__(self) -> None:
        self._selector_of_ours = _Jumping()
        super().__init__(self._selector_of_ours)

    def time(self) -> float:
        """Return the made-up seconds."""
        return self._selector_of_ours.now

    def wait_for(self, owed: Callable[[], int]) -> None:
        """Let time stand still while `owed` is more than 0: so many answers of a thread are still to come."""
        self._selector_of_ours.owed.append(owed)

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:  # type: ignore[override]  # the types of the thing itself name what only typeshed has
        """Run a function in a thread, and let time stand still meanwhile."""
        job = super().run_in_executor(executor, func, *args)
        self.wait_for(lambda: not job.done())
        return job

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncio's own
        """End the threads without the timer that Python 3.12 sets beside them: here it would be over at once."""
        del timeout
        await super().shutdown_default_executor()


class _Jumping(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.owed: list[Callable[[], int]] = []

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        found = super().select(0)
        if found or (timeout is not None and timeout <= 0):
            return found
        if timeout is None or any(owed() for owed in self.owed):
            if found := super().select(PATIENCE):
                return found
            raise RuntimeError("nothing will ever happen any more on this loop")
        self.now += timeout
        return []


def pytest_asyncio_loop_factories(item: pytest.Item) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Give a test the loop that its mark asks for."""
    if any("loop_factories" in mark.kwargs for mark in item.iter_markers("asyncio")):
        return {"virtual": VirtualLoop}
    return {"real": asyncio.new_event_loop}
