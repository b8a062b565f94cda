"""The child: a process that reads the configuration, hands it to the sender, and ends.

To read it takes pydantic, the models of all tables and a parser, some 15 MB that a sender would hold for weeks, and
use again only when a file changes. So a child does it, and the sender itself never imports them.

1. At the start, this process forks before it has any thread: the child has imported already what both need, and reads
   while this one waits. Later it has threads, and a child begins as a new Python.
2. The child answers with the configuration, or with its faults, in Python's own form. That pipe is the one place
   where secrets are pickled: both ends are this program's.
3. If there is no answer, whatever the reason, this process reads the configuration itself.
"""

import io
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from babel import Locale

from mail_sender.config.config import Config
from mail_sender.errors import ConfigError
from mail_sender.mail.plans import Plans
from mail_sender.names.secret import Secret
from mail_sender.templating import process
from mail_sender.templating.template_set import TemplateSet

SECONDS = 30.0
"""How long a new Python may take; it usually takes a few tenths."""

Files = tuple[Path, Path, Path | None]
"""The client config, the mail-sender config, and the folder of a dry run."""


def load(files: Files) -> Config:
    """Return the configuration that the files make, in a process without threads. Raises `ConfigError`."""
    return _read(_forked, files, None)


def load_anew(files: Files, before: Config) -> Config:
    """Return the configuration that the files make now, for a sender that runs with another. Raises `ConfigError`."""
    return _read(_begun, files, before)


def main() -> None:
    """Answer on the standard output what was asked on the standard input, and end."""
    sys.stdout.buffer.write(_answer(*pickle.load(sys.stdin.buffer)))  # noqa: S301 - this program wrote it


def _read(ask: Callable[[Files, Config | None], bytes], files: Files, before: Config | None) -> Config:
    answer: Any = None
    with suppress(Exception):  # another version may be installed by now, and answer in its own classes
        answer = pickle.loads(ask(files, before))  # noqa: S301 - as above
    match answer:
        case Config():
            return answer
        case (_, _, _):
            raise ConfigError(*answer)
        case _:
            return _read_here(files, before)


def _read_here(files: Files, before: Config | None) -> Config:
    from mail_sender.config import load as reading  # noqa: PLC0415 - for the child alone, see above

    return reading.load(*files) if before is None else reading.load_anew(before, *files)


def _answer(files: Files, before: Config | None) -> bytes:
    """Return the answer; none if something else than the configuration is wrong: the asker will find that as well."""
    try:
        return _pickled(_read_here(files, before))
    except ConfigError as error:
        return _pickled((error.faults, error.warnings, error.files))
    except Exception:  # noqa: BLE001 - see above
        return b""


def _forked(files: Files, before: Config | None) -> bytes:
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as pipe:
                pipe.write(_answer(files, before))
            process.end()  # whoever is process 1 would have to wait for it
        finally:
            os._exit(0)  # nothing of what the sender does at its end
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


def _begun(files: Files, before: Config | None) -> bytes:
    command = process.python("from mail_sender.config import child; child.main()")
    asked = _pickled((files, before))
    done = subprocess.run(  # noqa: S603 - this program itself
        command, input=asked, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=SECONDS, check=False
    )
    return done.stdout


class _Pickler(pickle.Pickler):
    """Writes a secret as it is, and of templates, plans and locales only what cannot be made again at once."""

    def reducer_override(self, found: Any) -> Any:
        """Return how such a value is made again; anything else is written as usual."""
        match found:
            case Secret():
                return Secret, (found.get_secret_value(),)
            case TemplateSet():  # without what was compiled
                return TemplateSet, (found.ours, found.theirs), {"wordings": found.wordings}
            case Plans():
                return Plans, ()
            case Locale():
                return Locale.parse, (str(found),)
        return NotImplemented


def _pickled(value: object) -> bytes:
    content = io.BytesIO()
    _Pickler(content, pickle.HIGHEST_PROTOCOL).dump(value)
    return content.getvalue()
