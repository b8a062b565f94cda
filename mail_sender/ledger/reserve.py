"""The reserve: disk space that is held while there is enough, and given back when the disk is full.

With the reserve, the outcomes of mails in flight and what they complete can still be written. Nothing new is begun
until the reserve is held again, for which the disk must have more than its last bit free: else mail would stop and go
on again and again. The reserve is a file without a name: the kernel frees it with its process.
"""

import errno
import os
import tempfile
from pathlib import Path
from typing import IO

OCTETS = 512 * 1024
"""The outcomes of four mails in flight need less than a tenth of it; SQLite's checkpoint may need the rest."""
FREE_AGAIN = 3 * OCTETS
"""How much must be free on a disk that was full, for the reserve to be held again."""

_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT})


class Reserve:
    """Space on the disk of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file: IO[bytes] | None = None
        self._needed = OCTETS

    def hold(self) -> bool:
        """Take the space; say whether it is held, or cannot be held for another reason than a full disk."""
        if self._file is None:
            file = None
            try:
                file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 - it stays open
                os.posix_fallocate(file.fileno(), 0, self._needed)
                file.truncate(OCTETS)
            except OSError as error:
                if file is not None:
                    file.close()
                return error.errno not in _NO_SPACE
            self._file, self._needed = file, OCTETS
        return True

    def give_back(self) -> bool:
        """Give the space back; say whether there was any."""
        if self._file is None:
            return False
        self._file.close()
        self._file, self._needed = None, FREE_AGAIN
        return True
