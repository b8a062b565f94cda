"""Renders the mail of one message to one recipient.

A pure function of (message, recipient, `MailConfig`, Date): the same input gives the same bytes, so that a mail that
must be sent twice is the same mail. The steps:

1. The recipient's address gets its envelope form, and its languages are chosen.
2. The variables are made in each language (`variables`): the cleaned display name, the links, the times in words.
3. They are filled into the plan of such a mail (`plan`), if one is known. Else the templates are rendered (`parts`):
   subject, text and HTML, with its style rules in its elements. Both make the same parts. If a template of the
   override folder fails, the built-in ones render the whole mail and `Mail.fault` names the file: a person without
   access is waiting for this mail.
4. Headers and parts become bytes (`headers`, `mime`). The lines of the finished header are looked at again: nothing
   in a queue entry can have added one.

If the message is to blame, `Unrenderable` is raised; if a template is, `BrokenTemplate`. Nothing is logged here, and
no error repeats what a mail holds.
"""

from collections.abc import Mapping
from datetime import datetime

from mail_sender.mail import confidential, headers, mime, parts, plan, variables
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail, message_id
from mail_sender.mail.parts import BrokenTemplate, Parts
from mail_sender.mail.variables import Variables
from mail_sender.message import Message
from mail_sender.names import address

__all__ = ["BrokenTemplate", "Unrenderable", "render"]


class Unrenderable(Exception):
    """The message cannot become a mail to this recipient; the text says why, without showing its content."""


def render(message: Message, recipient: str, config: MailConfig, date: datetime, identity: str | None = None) -> Mail:
    """Return the message's mail to one recipient; `date` is aware and becomes its Date, `identity` its Message-ID.

    Raises `Unrenderable` if the recipient is no address or the headers are not those that were set, `BrokenTemplate`
    if a template fails that no built-in one can replace.
    """
    try:
        to = address.parse(recipient)
    except address.BadAddress as error:
        raise Unrenderable(f"the recipient is not a mail address ({error})") from None
    identity = identity or message_id(message, recipient, config)
    languages = config.appearance.languages.of(to)
    made = _parts(message.content.kind, config, variables.varying(message, config, date, languages))
    logo = config.appearance.brand.logo if made.shows_logo else None
    try:
        head = headers.of(headers.About(config, to, identity, made.subject, date, languages))
        content = mime.compose(head, made.text, made.html, seed=identity, logo=logo)
    except mime.ForeignHeader:
        raise Unrenderable("the finished mail has other headers than were set") from None
    secrets, names = confidential.secrets(message.content), confidential.names(message.content)
    return Mail(identity, date, config.from_address, to, content, secrets, names, made.fault)


def _parts(kind: str, config: MailConfig, values: Mapping[str, Variables]) -> Parts:
    """Fill in the parts by their plan, or have the templates make them. Raises `BrokenTemplate`."""
    made = plan.filled(kind, config, values)
    return made or parts.rendered(kind, variables.complete(config, values), config.appearance)
