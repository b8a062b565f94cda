"""Watch the files of the configuration, and read them anew when one changes.

A file has changed when it is another one (an editor, or a mounted secret, puts a new one in its place), or its time
or size differs; a folder, when other names are in it. It is read when it looks the same twice in a row: whoever
writes it may not be done yet. What cannot be read, or has faults, is said once for each change; the old configuration
goes on.
"""

import asyncio
import stat
from collections.abc import Callable
from pathlib import Path

import structlog

from mail_sender.clock import Clock
from mail_sender.config.config import Config
from mail_sender.errors import ConfigError
from mail_sender.templating import override_folder

_log = structlog.get_logger()

LOOK_EVERY = 1.0
"""Seconds between two looks."""

_Face = tuple[int, int, int, int] | None
_Faces = dict[Path, _Face]


class Watch:
    """The files of a configuration, as they were when this was made; `load` reads them."""

    def __init__(self, config: Config, load: Callable[[], Config]) -> None:
        self._load = load
        self._seen = {path: _face(path) for path in config.files}

    def latest(self, config: Config) -> Config:
        """Return the configuration as the files have it now; the one that is given where they have faults."""
        faces = {path: _face(path) for path in self._seen}
        return config if faces == self._seen else self._read(faces) or config

    async def next_config(self, clock: Clock) -> Config:
        """Return the next configuration that can be used, once there is one."""
        last = self._seen
        while True:
            await clock.wait(asyncio.Event(), LOOK_EVERY)
            before, last = last, {path: _face(path) for path in self._seen}
            if last == self._seen or last != before:
                continue
            if (changed := self._read(last)) is not None:
                return changed

    def _read(self, faces: _Faces) -> Config | None:
        """Read the files, which looked so just before; return None where they have faults."""
        self._seen = faces
        try:
            changed = self._load()
        except ConfigError as error:
            told = "; ".join(line.strip() for line in str(error).splitlines())
            _log.error("config_rejected", message=f"{told}; going on with the one before")
            return None
        except Exception as error:  # noqa: BLE001 - whatever is in a file, the sender goes on with what it has
            _log.error(
                "config_rejected", message=f"cannot be read ({type(error).__name__}); going on with the one before"
            )
            return None
        # A file that changes while it is read has another face by now than it had before.
        self._seen = {path: faces.get(path, _face(path)) for path in changed.files}
        _log.info("config_reloaded", message="read anew; the relay and the server are tried at once")
        return changed


def _face(path: Path) -> _Face:
    try:
        found = path.stat()
        if stat.S_ISDIR(found.st_mode):  # its time changes with each swap file of an editor
            return found.st_dev, found.st_ino, hash(tuple(override_folder.names(path))), 0
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
