"""Render: make the mail of one message to one recipient.

A pure function of (message, recipient, letter config, Date): the same input gives the same bytes, so that a mail
that must be sent twice is the same mail. The steps:

1. The display name is cleaned (`display_name`), the links are made from `instance_url` alone, times become words.
2. Three templates are rendered: subject, text, HTML; sandboxed, undefined names are errors, HTML is escaped.
3. Headers and parts become one mail (`mime`), which is parsed again: nothing that stands in a queue entry can
   have added a header.

The message's own fault is `Unrenderable`, a template's `BrokenTemplate`. Nothing here logs or repeats what a mail
holds.
"""

import hashlib
from dataclasses import dataclass, field
from datetime import datetime
from email.utils import format_datetime
from functools import cache
from pathlib import Path
from typing import assert_never
from urllib.parse import urlencode, urlsplit, urlunsplit

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from mail_sender import address, display_name, mime, moments
from mail_sender.message import CredentialReset, IntentId, Message, TestMessage, UnknownContent
from mail_sender.settings import LetterConfig


class Unrenderable(Exception):
    """No mail can be made of this message for this recipient; the text says why, without showing its content."""


class BrokenTemplate(Exception):
    """The template failed, or there is none: the message is not to blame; the text says which one."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One mail with its envelope: one sender, one recipient, and the bytes between DATA and the dot.

    Lines of `content` end in CRLF; dots are not stuffed yet (RFC 5321, section 4.5.2). `secrets` and `names` are
    what in it no log and no ledger may repeat.
    """

    message_id: str
    date: datetime
    sender: str
    recipient: str
    content: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def render(
    message: Message, recipient: str, config: LetterConfig, date: datetime, identity: str | None = None
) -> Letter:
    """Return the message's mail to one recipient; `date` is aware and becomes its Date, `identity` its Message-ID.

    Raises `Unrenderable` where the recipient is no address or the headers fail, `BrokenTemplate` where the
    templates do.
    """
    try:
        to = address.parse(recipient)
    except address.BadAddress as error:
        raise Unrenderable(f"the recipient is not a mail address ({error})") from None
    if not to.isascii():
        raise Unrenderable("the address needs SMTPUTF8 (RFC 6531), which this version does not speak")
    identity = identity or message_id(message, recipient, config)
    parts = _Parts.of(message, config, date)
    try:
        headers = _headers(parts.subject, identity, to, config, date)
        content = mime.compose(headers, parts.text, parts.html, seed=identity)
    except mime.ForeignHeader:
        raise Unrenderable("the finished mail has other headers than were set") from None
    return Letter(identity, date, config.from_address, to, content, *_unrepeatable(message))


def _unrepeatable(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    match message.content:
        case CredentialReset(name, intent_id, _):
            return (str(intent_id),), (display_name.clean(name),)
        case TestMessage(name):
            return (), (display_name.clean(name),)
        case UnknownContent():
            return (), ()
        case _ as never:
            assert_never(never)


def message_id(message: Message, recipient: str, config: LetterConfig, copy: int = 0) -> str:
    """Return the Message-ID: the message's id on the From domain, the same for every attempt (RFC 5322, 3.6.4).

    Where a message has several recipients, each mail carries a mark of its own, and so does each further copy that
    the operator asks for: mailboxes hide a second mail with a Message-ID that they have.
    """
    several = len(message.recipients) > 1
    mark = "." + hashlib.sha256(recipient.encode()).hexdigest()[:12] if several else ""
    again = f".copy{copy}" if copy else ""
    return f"<{message.id}{mark}{again}@{address.domain(config.from_address)}>"


def link(instance_url: str, path: str, token: IntentId) -> str:
    """Return a page's address at the instance: its path is replaced, its query kept (as Kanidm's sender does)."""
    parts = urlsplit(instance_url)
    query = "&".join(part for part in (parts.query, urlencode({"token": token})) if part)
    return urlunsplit((parts.scheme, parts.netloc, path, query, ""))


@dataclass(frozen=True, slots=True)
class _Parts:
    subject: str
    text: str
    html: str

    @classmethod
    def of(cls, message: Message, config: LetterConfig, date: datetime) -> "_Parts":
        variables = {
            "instance_display_name": config.instance_display_name,
            "instance_url": config.instance_url,
            "message_id": str(message.id),
            **_variables(message, config, date),
        }
        kind = message.content.kind
        try:
            subject = " ".join(_template(f"{kind}/subject.txt.j2").render(variables).split())
            text = _template(f"{kind}/body.txt.j2").render(variables)
            html = _template(f"{kind}/body.html.j2").render({**variables, "subject": subject})
        except Exception as error:  # noqa: BLE001 - a template is a program: anything can go wrong in it
            raise BrokenTemplate(f"the template of {kind} failed ({type(error).__name__})") from None
        return cls(subject, text, html)


def _variables(message: Message, config: LetterConfig, date: datetime) -> dict[str, str]:
    match message.content:
        case TestMessage(name):
            return {"display_name": display_name.clean(name)}
        case CredentialReset(name, intent_id, expires_at):
            return {
                "display_name": display_name.clean(name),
                "reset_url": link(config.instance_url, "/ui/reset", intent_id),
                "revoke_url": link(config.instance_url, "/ui/revoke", intent_id),
                "expires_in": moments.until(expires_at, date),
                "expires_at": moments.clock_time(expires_at, date),
            }
        case UnknownContent():
            raise BrokenTemplate(f"no template for {message.content.kind}")
        case _ as never:
            assert_never(never)


@cache
def _environment() -> jinja2.Environment:
    inside = Path(__file__).parent / "templates"
    # In a checkout the templates stand beside the package; the wheel carries them inside it.
    folder = inside if inside.is_dir() else Path(__file__).parent.parent / "templates"
    return ImmutableSandboxedEnvironment(
        loader=jinja2.FileSystemLoader(folder),
        autoescape=lambda name: name is not None and ".html" in name,
        undefined=jinja2.StrictUndefined,
        auto_reload=False,
    )


def _template(name: str) -> jinja2.Template:
    return _environment().get_template(name)


def _headers(subject: str, identity: str, to: str, config: LetterConfig, date: datetime) -> list[tuple[str, str]]:
    return [
        ("Date", format_datetime(date)),
        ("From", mime.mailbox("From", config.instance_display_name, config.from_address)),
        ("Reply-To", mime.mailbox("Reply-To", config.instance_display_name, config.reply_to_address)),
        ("To", to),
        ("Subject", mime.words("Subject", subject)),
        ("Message-ID", identity),
        # RFC 3834, section 5: no holiday notices in answer to this.
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        *config.headers,
    ]
