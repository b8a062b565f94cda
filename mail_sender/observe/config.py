"""The configuration of what an operator sees."""

from dataclasses import dataclass

from mail_sender.observe.place import Place


@dataclass(frozen=True, slots=True)
class ObserveConfig:
    """`listen` is where health, metrics and the page are served; None: nowhere."""

    listen: Place | None = None
