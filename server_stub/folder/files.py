"""How the files of a stub are written and read.

Every file is replaced in one step, so that no reader sees half a file, and no crash leaves one. A damaged file is
never repaired or replaced silently.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path

from server_stub.errors import StubError

PARTIAL = ".partial"


def write_atomically(path: Path, content: bytes | str, mode: int = 0o600) -> None:
    """Replace `path` by `content` in one step. Raises OSError, and leaves nothing behind then."""
    data = content.encode() if isinstance(content, str) else content
    partial = path.with_name(f".{path.name}{PARTIAL}")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            partial.unlink()  # on a full disk half a file would be in the way of all that is smaller
        error.filename = str(path)
        raise


def sweep(folder: Path) -> None:
    """Remove what a kill in the midst of `write_atomically` has left. Raises OSError."""
    for partial in folder.glob(f".*{PARTIAL}"):
        partial.unlink(missing_ok=True)


def read_json(path: Path) -> dict[str, object]:
    """Return the JSON object in a state file. Raises StubError if it cannot be read as one."""
    try:
        content = json.loads(path.read_text())
    except OSError as error:
        raise StubError(f"Cannot read {path} ({error.strerror}).") from error
    except (ValueError, RecursionError) as error:
        raise corrupt(path, "it is not JSON") from error
    if not isinstance(content, dict):
        raise corrupt(path, "it holds no JSON object")
    return content


def corrupt(path: Path, fault: str) -> StubError:
    """Return the sentence about a state file that is never repaired or replaced silently."""
    return StubError(
        f"The state file {path} is corrupt ({fault}): restore it, or move it away: "
        "the next start then makes a new one."
    )
