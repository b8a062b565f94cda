"""What runs in the template process (`process`): it renders one part after the other until its input ends.

Before each part the kernel is told how much more memory and time of the processor the process may have. A part that
exceeds a limit ends the process, or has it ended by `process`, so nothing that it held is left.
"""

import json
import os
import pickle
import resource
import signal
import struct
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, BinaryIO

import jinja2

from mail_sender.templating import filters, sandbox, styles
from mail_sender.templating.sandbox import Sandbox, TooMuch

MEMORY = 64 * 1024 * 1024
"""Octets that one part may take; it usually takes a hundredth of that."""
_LENGTH = struct.Struct(">I")


def main() -> None:
    """Answer each request on the standard input; signals are for the sender, whose end closes that input."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # it would hold what the mail holds
    templates = Sandbox({}, filters.FILTERS)
    source, target = sys.stdin.buffer, sys.stdout.buffer
    _write(target, {})
    while head := source.read(_LENGTH.size):
        files, name, variables, page = pickle.loads(source.read(*_LENGTH.unpack(head)))  # noqa: S301 - the sender wrote it
        if files is not None:
            templates = Sandbox(files, filters.FILTERS)
        _write(target, _answer(templates, name, variables, page))


def _answer(templates: Sandbox, name: str, variables: Mapping[str, Any] | None, page: bool) -> dict[str, Any]:
    _limit_memory()
    _limit_time()
    try:
        template = templates.get_template(name)
        if variables is None:
            return {}
        made = sandbox.run(template, variables)
        return {"text": styles.inlined(made) if page else made}
    except MemoryError as error:
        _release_memory()
        return {
            "failed": sandbox.failure(TooMuch(_TOO_LARGE).with_traceback(error.__traceback__), name),
            "spent": True,
        }
    except Exception as error:  # noqa: BLE001 - a template is a program: anything can go wrong in it
        if variables is not None:
            return {"failed": sandbox.failure(error, name)}
        if isinstance(error, jinja2.TemplateSyntaxError):
            return {"syntax": (error.message, error.lineno, error.name)}
        return {"failed": str(error)}
    finally:
        _release_memory()


_TOO_LARGE = f"it takes more than {MEMORY // 1024 // 1024} MiB of memory"


def _limit_memory() -> None:
    with suppress(OSError, ValueError):  # not Linux: what the sandbox itself limits is limited still
        with open("/proc/self/statm", "rb") as file:  # noqa: PTH123 - the kernel's, for each part
            pages = int(file.read().split()[0])
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (pages * os.sysconf("SC_PAGE_SIZE") + MEMORY, most))


def _limit_time() -> None:
    """Have the kernel end the process if one operation of Python takes so long that no alarm can."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (int(time.process_time() + sandbox.SECONDS) + 2, most))


def _release_memory() -> None:
    with suppress(OSError, ValueError):
        _, most = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (most, most))


def _write(target: BinaryIO, answer: dict[str, Any]) -> None:
    content = json.dumps(answer).encode()
    target.write(_LENGTH.pack(len(content)) + content)
    target.flush()
