"""What the product logs, at debug, kept by case: each case is a task of its own, and so are those that it starts.

The log is set up by the product itself, but without the secrets that its last net would cut out: no line may need it.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import structlog

from mail_sender import log

_page: ContextVar[list[str] | None] = ContextVar("page", default=None)


class Pages:
    """A stream that writes to the page of whoever writes; `stray` is what nobody's task wrote."""

    def __init__(self) -> None:
        self.stray: list[str] = []

    def write(self, text: str) -> None:
        """Write a text."""
        page = _page.get()
        (self.stray if page is None else page).append(text)

    def flush(self) -> None:
        """Do nothing: it is written."""


def new_page() -> list[str]:
    """Begin a page for the current task and those that it starts, and return it."""
    page: list[str] = []
    _page.set(page)
    return page


@contextmanager
def recorded() -> Iterator[Pages]:
    """Record the product's log instead of printing it, and put everything back afterwards."""
    before, level, handlers = structlog.get_config(), logging.getLogger().level, list(logging.getLogger().handlers)
    pages = Pages()
    log.configure(debug=True, form="text")
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(pages))  # type: ignore[arg-type]  # write and flush suffice
    try:
        yield pages
    finally:
        structlog.configure(**before)
        logging.getLogger().setLevel(level)
        logging.getLogger().handlers = handlers
