"""The part of the configuration that says whose mails these are and how they look."""

from dataclasses import dataclass, field

from mail_sender.templating.appearance import Appearance


@dataclass(frozen=True, slots=True)
class MailConfig:
    """What is the same in every mail: addresses without display names; `headers` are extra ones, in their order."""

    instance_display_name: str
    instance_url: str
    from_address: str
    reply_to_address: str
    headers: tuple[tuple[str, str], ...] = ()
    appearance: Appearance = field(default_factory=Appearance)
