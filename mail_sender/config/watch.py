"""Watches the files of the configuration, and reads them again when one changes, or when somebody asks (SIGHUP).

1. The files are looked at twice a second, which costs less than to be told by the system (inotify): that takes two
   threads and megabytes. It would not do alone, either: some file systems (NFS, FUSE) report nothing, a folder may
   be missing as yet, and the system may have no watches left.
2. A file has changed if it is another file (an editor, or a mounted secret, puts a new one in its place), or if its
   time, size, owner or mode differs; a folder, if the names in it differ. Hidden files do not count.
3. Somebody may still be writing: the files are read once they are the same twice in a row.
4. A configuration that has faults is logged once for each change, and the previous one stays in force. The files that
   it names are watched as well, whatever else is wrong with it, so that mending one of them is noticed.
5. Who asks gets an answer at once: that the files were read, what is wrong with them, or that none has changed.
"""

import asyncio
import stat
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import structlog

from mail_sender.clock import Clock
from mail_sender.config.config import Config
from mail_sender.errors import ConfigError
from mail_sender.templating import override_folder

_log = structlog.get_logger()

SETTLE = 1.0
"""Seconds for which the files must stay the same before they are read."""
COMPARE_EVERY = 0.5
"""Seconds after which the files are compared again."""

Reading = Callable[[], AbstractContextManager[object]]
_State = tuple[int, ...] | None
_States = dict[Path, _State]


class Watch:
    """Watches the files of a configuration; `load` reads them again.

    `asked` is set when somebody asks for that. `reading` gives what is entered while an answer is being found.
    `is_rejected` says that the files had faults when they were read last; `on_rejected` is called with them.
    """

    def __init__(
        self, config: Config, load: Callable[[], Config], asked: asyncio.Event, reading: Reading = nullcontext
    ) -> None:
        self.is_rejected = False
        self.on_rejected: Callable[[str], None] = lambda _: None
        self._load = load
        self._asked = asked
        self._reading = reading
        self._seen = _states(config.files)

    def latest(self, config: Config) -> Config:
        """Return the configuration as the files have it now, or the given one if nothing changed or it has faults."""
        states = _states(self._seen)
        return config if states == self._seen else self._read(states) or config

    async def next_config(self, clock: Clock) -> Config:
        """Return the next usable configuration, as soon as there is one."""
        while True:
            # The files named by a configuration differ from those of the one before: each is watched anew.
            states = await self._changed_or_asked(clock)
            if (changed := await self._answer(states)) is not None:
                return changed

    async def _answer(self, states: _States) -> Config | None:
        with self._reading():
            if states != self._seen or self.is_rejected:
                return await asyncio.to_thread(self._read, states)  # mails go on meanwhile
            _log.info(
                "config_unchanged", message="SIGHUP: no file of the configuration has changed; all stays as it is"
            )
            return None

    async def _changed_or_asked(self, clock: Clock) -> _States:
        """Return the files' states, once they have changed and stay the same, or once somebody asks."""
        while True:
            states = _states(self._seen)
            while states != self._seen and not await clock.wait(self._asked, SETTLE):
                before, states = states, _states(self._seen)
                if states == before:
                    return states
            if self._asked.is_set() or await clock.wait(self._asked, COMPARE_EVERY):
                self._asked.clear()
                return _states(self._seen)

    def _read(self, states: _States) -> Config | None:
        """Read the files, whose states these are; return None if they have faults."""
        try:
            found = self._load_all(states)
        except Exception as error:  # noqa: BLE001 - whatever is in a file, the sender goes on with what it has
            self._seen = states
            self.reject(f"cannot be read ({type(error).__name__})")
            return None
        if isinstance(found, ConfigError):
            # What it names may be what is wrong with it.
            self._seen = states
            self.reject("; ".join(map(str, found.faults)))
            return None
        self.is_rejected = False
        # A file that changes while it is read has another state by now than it had before.
        self._seen = {**_states(found.files), **{path: states[path] for path in found.files if path in states}}
        _log.info("config_reloaded", message="read again; what waits is tried at once")
        return found

    def reject(self, why: str) -> None:
        """Take in that the files cannot be used as they are now; it is logged."""
        self.is_rejected = True
        self.on_rejected(why)
        _log.error("config_rejected", message=f"{why}; the previous configuration stays in use")

    def _load_all(self, states: _States) -> Config | ConfigError:
        """Return what the files make; the states of those that refused files name are put into `states`.

        Files that are refused are read again if they name another one for the first time: it may have been mended
        since, and its state must be older than what was read.
        """
        while True:
            try:
                return self._load()
            except ConfigError as error:
                new = [path for path in error.files if path not in states]
                if not new:
                    return error
                states |= _states(new)


def _states(paths: Iterable[Path]) -> _States:
    return {path: _state(path) for path in paths}


def _state(path: Path) -> _State:
    try:
        found = path.stat()
        identity = found.st_dev, found.st_ino, found.st_mode, found.st_uid, found.st_gid
        if stat.S_ISDIR(found.st_mode):  # its time changes with each swap file of an editor
            return *identity, hash(tuple(override_folder.names(path)))
        return *identity, found.st_mtime_ns, found.st_size
    except (OSError, ValueError):  # ValueError: a NUL in the path of a configuration that was refused
        return None
