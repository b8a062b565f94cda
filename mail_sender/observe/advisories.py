"""Advisories: what is wrong and holds up no mail.

They are the warnings of the configuration in use, a changed configuration that was rejected, and what the daily look
at the DNS of the From domain has found. What stays as it was keeps the time since when it is so.
"""

from collections.abc import Iterable

from mail_sender.clock import Clock
from mail_sender.condition import Fault

CONFIGURATION, DOMAIN = "configuration", "domain"
NAMES = frozenset({CONFIGURATION, DOMAIN})
"""Whose advisories there are."""

_SEE_DOCS = "correct the configuration; no restart is needed"


class Advisories:
    """The advisories that there are now."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._warnings: tuple[Fault, ...] = ()
        self._rejected: tuple[Fault, ...] = ()
        self._domain: tuple[Fault, ...] = ()

    @property
    def faults(self) -> list[Fault]:
        """All of them, a rejected configuration first."""
        return [*self._rejected, *self._domain, *self._warnings]

    def use(self, warnings: Iterable[str]) -> None:
        """Take in that a configuration is in use, and what it is warned of."""
        self._rejected = ()
        self._warnings = self._since(self._warnings, CONFIGURATION, [("warning", one, _SEE_DOCS) for one in warnings])

    def reject(self, why: str) -> None:
        """Take in that a changed configuration is not used, and why."""
        self._rejected = self._since(self._rejected, CONFIGURATION, [("rejected", why, _SEE_DOCS)])

    def examined(self, found: Iterable[tuple[str, str, str]]) -> None:
        """Take in what is wrong with the From domain: of each check its name, what was seen, and what to do."""
        self._domain = self._since(self._domain, DOMAIN, found)

    def _since(
        self, before: tuple[Fault, ...], name: str, found: Iterable[tuple[str, str, str]]
    ) -> tuple[Fault, ...]:
        known = {(fault.kind, fault.detail): fault.since for fault in before}
        now = self._clock.now()
        return tuple(
            Fault(name, kind, known.get((kind, detail), now), detail, advice) for kind, detail, advice in found
        )
