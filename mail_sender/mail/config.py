"""The part of the configuration that says whose mails these are and how they look."""

from dataclasses import dataclass, field
from typing import Any

from mail_sender.mail.plans import Plans
from mail_sender.templating.appearance import Appearance


@dataclass(frozen=True, slots=True)
class MailConfig:
    """What is the same in every mail: addresses without display names; `headers` are extra ones, in their order.

    `plans` say how these mails are filled in. They belong to this configuration, and are found out as it is used.
    """

    instance_display_name: str
    instance_url: str
    from_address: str
    reply_to_address: str
    headers: tuple[tuple[str, str], ...] = ()
    appearance: Appearance = field(default_factory=Appearance)
    plans: Plans[Any] = field(default_factory=Plans, init=False, repr=False, compare=False)
