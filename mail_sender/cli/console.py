"""rich, for the few outputs that change while they are read: a progress bar, a status that goes on.

`__main__` hides rich from the libraries that would import it at every start, only for colours. Whoever shows
something with it asks here for a console, and imports the rest of rich after that.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO, cast

from mail_sender.cli.terminal import discard

if TYPE_CHECKING:
    from rich.console import Console


def console(file: TextIO) -> "Console":
    """Return a console that writes to a terminal, and import rich."""
    if sys.modules.get("rich", sys) is None:
        del sys.modules["rich"]
    from rich.console import Console  # noqa: PLC0415 - see the module's text

    made = Console(file=cast("TextIO", _Unbreakable(file)))
    # The cursor stays: a second Ctrl-C ends the program at once, and nobody would show it again.
    made.show_cursor = lambda show=True: False  # type: ignore[method-assign]  # the one way to say it to rich
    return made


class _Unbreakable:
    """A terminal that may be closed at any time, which stops nothing; from then on nothing is shown."""

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)

    def write(self, text: str) -> None:
        self._try(lambda: self._file.write(text))

    def flush(self) -> None:
        self._try(self._file.flush)

    def _try(self, write: Callable[[], object]) -> None:
        try:
            write()
        except OSError:
            discard(self._file.fileno())


@contextmanager
def live(file: TextIO) -> Iterator[Callable[[str], None]]:
    """Give what draws a text, which may hold colours, over the last one on a terminal; the last one stays."""
    shown = console(file)
    from rich.live import Live  # noqa: PLC0415 - the console comes first
    from rich.text import Text  # noqa: PLC0415 - as above

    with Live(console=shown, auto_refresh=False, redirect_stdout=False, redirect_stderr=False) as drawn:
        yield lambda text: drawn.update(Text.from_ansi(text), refresh=True)
