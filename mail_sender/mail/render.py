"""Renders the mail of one message to one recipient.

A pure function of (message, recipient, `MailConfig`, Date): the same input gives the same bytes, so that a mail that
must be sent twice is the same mail. The steps:

1. The recipient's address gets its envelope form, and its languages are chosen.
2. The variables are made in each language (`variables`): the cleaned display name, the links, the times in words.
3. The templates are rendered (`template_set`): subject, text and HTML, with its style rules in its elements. If
   one of the override folder fails, the built-in templates render the whole mail and `Mail.fault` names the file:
   a person without access is waiting for this mail.
4. Headers and parts become bytes (`headers`, `mime`). The result is parsed again: nothing in a queue entry can have
   added a header.

If the message is to blame, `Unrenderable` is raised; if a template is, `BrokenTemplate`. Nothing is logged here, and
no error repeats what a mail holds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from markupsafe import escape

from mail_sender.mail import confidential, headers, mime, variables
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail, message_id
from mail_sender.mail.variables import Variables
from mail_sender.message import Message
from mail_sender.names import address
from mail_sender.templating.sandbox import Failed
from mail_sender.templating.template_set import NoTemplate, TemplateSet


class Unrenderable(Exception):
    """The message cannot become a mail to this recipient; the text says why, without showing its content."""


class BrokenTemplate(Exception):
    """A template failed or is missing, so the message is not to blame; the text names the file."""


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
    parts = _parts(message, config, {tag: variables.of(message, config, date, tag) for tag in languages})
    logo = config.appearance.brand.logo if parts.html and mime.LOGO in parts.html else None
    try:
        head = headers.of(headers.About(config, to, identity, parts.subject, date, languages))
        content = mime.compose(head, parts.text, parts.html, seed=identity, logo=logo)
    except mime.ForeignHeader:
        raise Unrenderable("the finished mail has other headers than were set") from None
    secrets, names = confidential.secrets(message.content), confidential.names(message.content)
    return Mail(identity, date, config.from_address, to, content, secrets, names, parts.fault)


@dataclass(frozen=True, slots=True)
class _Parts:
    """The rendered parts; `html` is None if mails have none, `fault` names the override template that failed."""

    subject: str
    text: str
    html: str | None
    fault: str | None = None


def _parts(message: Message, config: MailConfig, languages: Mapping[str, Variables]) -> _Parts:
    """Render the parts; if a template of the override folder fails, render all of them with the built-in ones."""
    kind, appearance = message.content.kind, config.appearance
    try:
        return _rendered(kind, languages, appearance.templates, html=appearance.html)
    except BrokenTemplate as error:
        built_in = appearance.templates.fallback(kind)
        if built_in is None:
            raise
        return replace(_rendered(kind, languages, built_in, html=appearance.html), fault=str(error))


def _rendered(kind: str, languages: Mapping[str, Variables], templates: TemplateSet, *, html: bool) -> _Parts:
    language = next(iter(languages))

    def part(name: str, values: Variables) -> str:
        try:
            return templates.run(templates.file(kind, name, language), values, page=name == "body.html")
        except (NoTemplate, Failed) as error:
            raise BrokenTemplate(str(error)) from None

    values = variables.with_sentences(languages, kind, templates, str)
    subject = " ".join(part("subject.txt", values).split())
    text = part("body.txt", {**values, "subject": subject})
    if not html:
        return _Parts(subject, text, None)
    values = variables.with_sentences(languages, kind, templates, escape)
    return _Parts(subject, text, part("body.html", {**values, "subject": subject}))
