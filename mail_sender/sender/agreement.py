"""Whether the senders that share a ledger are alike: what differs is logged once, and so is its end."""

from collections.abc import Sequence

import structlog

from mail_sender.ledger.differences import differences
from mail_sender.ledger.replicas import Replica

_log = structlog.get_logger()


class Agreement:
    """What this sender has said of differences between the senders of its ledger."""

    def __init__(self) -> None:
        self._said: dict[str, str] = {}

    def compare(self, replicas: Sequence[Replica]) -> None:
        """Take in who lives by now, and what each says of itself."""
        found = {one.kind: one for one in differences(replicas)}
        for kind, one in found.items():
            if self._said.get(kind) != one.detail:
                _log.warning("senders_differ", kind=kind, message=f"{one.detail}; {one.advice}")
        for kind in self._said.keys() - found.keys():
            _log.info("senders_agree", kind=kind)
        self._said = {kind: one.detail for kind, one in found.items()}
