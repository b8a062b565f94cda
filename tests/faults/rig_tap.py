"""A tap on one of the product's Protocols: a hook before each call and one after it, and the call itself untouched.

Kill points, delays, failures and counts go here; the program itself has no switch for any of them.
"""

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, cast

Part = TypeVar("Part")
Hook = Callable[[str, tuple[Any, ...]], Awaitable[None]]
"""Gets the method's name and its arguments; what it raises, the caller gets."""


async def nothing(_name: str, _arguments: tuple[Any, ...]) -> None:
    """Do nothing."""


def tapped(part: Part, before: Hook = nothing, after: Hook = nothing) -> Part:
    """Return the part with hooks around each of its coroutine methods."""
    return cast("Part", _Tap(part, before, after))


class _Tap:
    def __init__(self, part: object, before: Hook, after: Hook) -> None:
        self._part = part
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._part, name)
        if not inspect.iscoroutinefunction(found):
            return found

        async def call(*arguments: Any, **named: Any) -> Any:
            await self._before(name, arguments)
            result = await found(*arguments, **named)
            await self._after(name, arguments)
            return result

        return call


def overridden(part: Part, **methods: Callable[..., Awaitable[Any]]) -> Part:
    """Return the part with other methods in the place of some of its own."""
    return cast("Part", _Override(part, methods))


class _Override:
    def __init__(self, part: object, methods: dict[str, Callable[..., Awaitable[Any]]]) -> None:
        self._part = part
        self._methods = methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._part, name)
