"""The plans of one configuration: how a mail is filled in, for each kind and choice of languages that was mailed."""

from collections.abc import Callable
from typing import Generic, TypeVar

MOST = 64
"""Plans that are kept: two for each kind in each of the languages that come with the program, and some more."""

Plan = TypeVar("Plan")


class Plans(Generic[Plan]):
    """Keeps plans by what they are for; one is learned with the second mail, since it costs more than that mail."""

    def __init__(self) -> None:
        self._found: dict[object, Plan | None] = {}
        self._once = set[object]()

    def of(self, key: object, learn: Callable[[], Plan | None]) -> Plan | None:
        """Return the plan for a key; None if there is none, or not yet."""
        if key in self._found:
            return self._found[key]
        if key in self._once:
            self._found[key] = learn()
            return self._found[key]
        if len(self._once) < MOST:  # what comes later is rendered by its templates
            self._once.add(key)
        return None
