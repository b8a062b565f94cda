"""The setting of a campaign: how many connections its senders may open, whether its relays offer PIPELINING, which ledger.

Everything else is a case's own. The setting in use is a context's, so that it holds for all that a campaign starts;
what is counted or measured before a campaign is counted in each setting by itself.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from tests.support.postgres import Postgres


@dataclass(frozen=True)
class Setting:
    """How a sender meets its relays: `connections` at most to each of them, with `pipelining` or one by one.

    With a `server`, the ledgers lie in databases there.
    """

    connections: int = 4
    pipelining: bool = False
    server: Postgres | None = None

    @property
    def ledger(self) -> str:
        """Which ledger it is, as `--ledger` names it."""
        return "sqlite" if self.server is None else "postgresql"


USUAL = Setting()
PIPELINED = Setting(connections=16, pipelining=True)
_current: ContextVar[Setting] = ContextVar("setting", default=USUAL)


def current() -> Setting:
    """Return the setting in use."""
    return _current.get()


@contextmanager
def using(setting: Setting) -> Iterator[None]:
    """Have a setting be in use."""
    before = _current.set(setting)
    try:
        yield
    finally:
        _current.reset(before)
