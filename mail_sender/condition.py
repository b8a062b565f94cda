"""A condition that comes and goes, such as a relay that is down.

It is said once when it begins, once when it changes, once when it ends, and never in between, however often it
is met. One that shows only now and then (a disk that takes a read and no write) ends when it was quiet for a while.
"""

from datetime import datetime, timedelta

import structlog

_log = structlog.get_logger()


class Condition:
    """The state of one party: fine, or in some trouble since some time.

    `name` begins its events' names: `relay_down`, `relay_up`; `quiet` is for how long it must not have shown before
    it counts as over.
    """

    def __init__(self, name: str, quiet: timedelta = timedelta(0)) -> None:
        self._name = name
        self._quiet = quiet
        self._last: datetime | None = None
        self._trouble: tuple[str, str] | None = None
        self._since: datetime | None = None

    @property
    def is_fine(self) -> bool:
        """Whether there is no trouble."""
        return self._trouble is None

    def down(self, kind: str, detail: str, advice: str, now: datetime) -> None:
        """Meet trouble; said unless it is the same as before."""
        self._last = now
        if self._trouble == (kind, detail):
            return
        self._since = self._since or now
        self._trouble = (kind, detail)
        _log.error(f"{self._name}_down", kind=kind, say=f"{detail}; {advice}")

    def up(self, now: datetime) -> None:
        """Find it fine; said where it was not."""
        if self._trouble is None or (self._last and now - self._last < self._quiet):
            return
        seconds = round((now - self._since).total_seconds()) if self._since else None
        self._trouble = self._since = None
        _log.info(f"{self._name}_up", down_seconds=seconds)
