"""What every mail says about its sender, and how it looks."""

from dataclasses import dataclass, field

from mail_sender.templating.appearance import Appearance


@dataclass(frozen=True, slots=True)
class MailConfig:
    """What every mail says about its sender: addresses are bare, `headers` are extra ones, in order."""

    instance_display_name: str
    instance_url: str
    from_address: str
    reply_to_address: str
    headers: tuple[tuple[str, str], ...] = ()
    appearance: Appearance = field(default_factory=Appearance)
