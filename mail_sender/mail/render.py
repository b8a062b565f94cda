"""Render: make the mail of one message to one recipient.

A pure function of (message, recipient, letter config, Date): the same input gives the same bytes, so that a mail
that must be sent twice is the same mail. The steps:

1. The recipient's languages are chosen, the display name is cleaned (`display_name`), the links are made from
   `instance_url` alone, times become words.
2. The templates are rendered (`template_set`): subject, text, HTML, whose style is moved into its elements. Where
   the operator's fail, ours make the whole mail, and the letter says so: a person locked out waits for it.
3. Headers and parts become one mail (`mime`), which is parsed again: nothing that stands in a queue entry can
   have added a header.

The message's own fault is `Unrenderable`, a template's `BrokenTemplate`. Nothing here logs or repeats what a mail
holds.
"""

import hashlib
import re
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import format_datetime
from functools import cache, cached_property
from typing import Any, assert_never
from urllib.parse import urlencode, urlsplit, urlunsplit

import css_inline
from babel import Locale
from markupsafe import escape

from mail_sender import address
from mail_sender.mail import display_name, mime
from mail_sender.mail.config import MailConfig
from mail_sender.message import CredentialReset, IntentId, Message, TestMessage, UnknownContent
from mail_sender.templating import sandbox, wording
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.brand import Logo
from mail_sender.templating.filters import Moment
from mail_sender.templating.template_set import NoTemplate
from mail_sender.templating.wording import Escape

# Control characters but tab and line ends, and half surrogate pairs: no mail can carry them.
_UNSENDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff]")


SHORTEST_SECRET = 4
"""Characters of a field of an unknown kind that is hidden."""


class Unrenderable(Exception):
    """No mail can be made of this message for this recipient; the text says why, without showing its content."""


class BrokenTemplate(Exception):
    """The template failed, or there is none: the message is not to blame; the text says which one."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail with its envelope: one sender, one recipient, and the bytes between DATA and the dot.

    Lines of `content` end in CRLF; dots are not stuffed yet (RFC 5321, section 4.5.2). `secrets` and `names` are
    what in it no log and no ledger may repeat. `fault` says which of the operator's templates failed, where ours
    had to stand in.
    """

    message_id: str
    date: datetime
    sender: str
    recipient: str
    content: bytes = field(repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    names: tuple[str, ...] = field(default=(), repr=False)
    fault: str | None = None

    @property
    def needs_utf8(self) -> bool:
        """Whether it goes only to a relay that takes addresses outside ASCII (SMTPUTF8, RFC 6531)."""
        return not self.recipient.isascii()

    @property
    def digest(self) -> str:
        """The SHA-256 of the content, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def render(message: Message, recipient: str, config: MailConfig, date: datetime, identity: str | None = None) -> Mail:
    """Return the message's mail to one recipient; `date` is aware and becomes its Date, `identity` its Message-ID.

    Raises `Unrenderable` where the recipient is no address or the headers fail, `BrokenTemplate` where the
    templates do.
    """
    try:
        to = address.parse(recipient)
    except address.BadAddress as error:
        raise Unrenderable(f"the recipient is not a mail address ({error})") from None
    identity = identity or message_id(message, recipient, config)
    languages = config.appearance.languages.of(to)
    parts = _parts(message, config, date, languages)
    try:
        headers = _headers(parts.subject, identity, to, config, date, languages)
        content = mime.compose(
            headers, parts.text, parts.html, seed=identity, logo=_used_logo(parts, config.appearance)
        )
    except mime.ForeignHeader:
        raise Unrenderable("the finished mail has other headers than were set") from None
    secrets, names = _unrepeatable(message)
    return Mail(identity, date, config.from_address, to, content, secrets, names, parts.fault)


def _unrepeatable(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    match message.content:
        case CredentialReset(name, intent_id, _):
            return (str(intent_id),), (display_name.clean(name),)
        case TestMessage(name):
            return (), (display_name.clean(name),)
        case UnknownContent(fields=fields):
            return tuple(_texts(fields)), ()
        case _ as never:
            assert_never(never)


def _texts(value: object) -> Iterator[str]:
    """Yield every text and number in what a message holds: of an unknown kind, any may be a secret.

    What is shorter than a PIN is none, and to hide it everywhere would leave nothing of a reply.
    """
    match value:
        case bool():
            return
        case str() | int() | float() if len(str(value)) >= SHORTEST_SECRET:
            yield str(value)
        case dict():
            for item in value.values():
                yield from _texts(item)
        case list():
            for item in value:
                yield from _texts(item)


def message_id(message: Message, recipient: str, config: MailConfig, copy: int = 0) -> str:
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
    """The finished parts; `html` is None where there is to be none, `fault` says whose template failed."""

    subject: str
    text: str
    html: str | None
    fault: str | None = None


def _parts(message: Message, config: MailConfig, date: datetime, languages: tuple[str, ...]) -> _Parts:
    """Render the parts, by our own templates where the operator's fail."""
    making = _Making(message, config, date, languages)
    try:
        return making.parts(ours=False)
    except BrokenTemplate as error:
        if not config.appearance.templates.has_our_own(message.content.kind):
            raise
        return replace(making.parts(ours=True), fault=str(error))


@dataclass(frozen=True)
class _Making:
    """What the parts of one mail are made of."""

    message: Message
    config: MailConfig
    date: datetime
    languages: tuple[str, ...]

    def parts(self, *, ours: bool) -> _Parts:
        """Render all parts.

        Raises `BrokenTemplate`.
        """
        text = self._context(str, ours)
        subject = " ".join(self._part("subject.txt", text, ours).split())
        body = self._part("body.txt", {**text, "subject": subject}, ours)
        if not self.config.appearance.html:
            return _Parts(subject, body, None)
        html = self._part("body.html", {**self._context(escape, ours), "subject": subject}, ours)
        return _Parts(subject, body, self._styled(html))

    def _styled(self, html: str) -> str:
        """Return a page with its style inside its elements: many mail programs leave the rest of it out."""
        try:
            return _inliner().inline(html)
        except (css_inline.InlineError, ValueError):
            raise BrokenTemplate(f"the style of {self.message.content.kind}/body.html.j2 cannot be read") from None

    def _part(self, part: str, context: Mapping[str, Any], ours: bool) -> str:
        kind, templates = self.message.content.kind, self.config.appearance.templates
        try:
            name = templates.file(kind, part, self.languages[0], ours=ours)
        except NoTemplate as error:
            raise BrokenTemplate(str(error)) from None
        try:
            return _UNSENDABLE.sub("", sandbox.run(templates.get(name, ours=ours), context))
        except sandbox.TooMuch as error:
            raise BrokenTemplate(f"the template {_place(error, name)} failed: {error}") from None
        except Exception as error:  # noqa: BLE001 - a template is a program: anything can go wrong in it
            raise BrokenTemplate(f"the template {_place(error, name)} failed ({type(error).__name__})") from None

    def _context(self, escape: Escape, ours: bool) -> dict[str, Any]:
        """Return the variables of a part; its sentences pass through `escape`."""
        choices = [self._choice(language, escape, ours) for language in self.languages]
        return {**self._variables[self.languages[0]], "say": choices[0], "languages": choices}

    def _choice(self, language: str, escape: Escape, ours: bool) -> dict[str, str]:
        variables = self._variables[language]
        brand = {"support": self.config.appearance.brand.support}
        words = self.config.appearance.templates.wording(language, ours=ours)
        said = words.say(self.message.content.kind, {**variables, **brand}, escape)
        return {**said, "language": language}

    @cached_property
    def _variables(self) -> dict[str, dict[str, Any]]:
        """The variables in each language: every part has the same."""
        return {language: self._variables_in(language) for language in self.languages}

    def _variables_in(self, language: str) -> dict[str, Any]:
        config, brand = self.config, self.config.appearance.brand
        return {
            "instance_display_name": config.instance_display_name,
            "instance_url": config.instance_url,
            "instance_host": urlsplit(config.instance_url).netloc.rpartition("@")[2],
            "message_id": str(self.message.id),
            "language": language,
            "brand": {
                "name": brand.name or config.instance_display_name,
                "color": brand.color,
                "on_color": brand.on_color,
                "outline": brand.outline,
                "logo": mime.LOGO if brand.logo else "",
                "logo_width": brand.logo.shown[0] if brand.logo else 0,
                "logo_height": brand.logo.shown[1] if brand.logo else 0,
                "support": brand.support,
                "footer": brand.footer,
            },
            **self._own_variables(wording.locale(language)),
        }

    def _own_variables(self, locale: Locale) -> dict[str, Any]:
        """Return the variables of this kind alone."""
        match self.message.content:
            case TestMessage(name):
                return {"display_name": display_name.clean(name)}
            case CredentialReset(name, intent_id, expires_at):
                expiry = Moment(expires_at, self.date, self.config.appearance.zone, locale)
                return {
                    "display_name": display_name.clean(name),
                    "reset_url": link(self.config.instance_url, "/ui/reset", intent_id),
                    "revoke_url": link(self.config.instance_url, "/ui/revoke", intent_id),
                    "expires_in": expiry.relative(),
                    "expires_at": expiry,
                }
            case UnknownContent(fields=fields):
                return {"fields": fields}
            case _ as never:
                assert_never(never)


def _place(error: Exception, name: str) -> str:
    """Return the file and line where a template failed; what the exception says may be a secret."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename.endswith(".j2")]
    return f"{frames[-1].filename}, line {frames[-1].lineno}," if frames else name


@cache
def _inliner() -> css_inline.CSSInliner:
    return css_inline.CSSInliner(load_remote_stylesheets=False, keep_at_rules=True)


def _used_logo(parts: _Parts, appearance: Appearance) -> Logo | None:
    return appearance.brand.logo if parts.html and mime.LOGO in parts.html else None


def _headers(
    subject: str, identity: str, to: str, config: MailConfig, date: datetime, languages: tuple[str, ...]
) -> list[tuple[str, str]]:
    return [
        ("Date", format_datetime(date)),
        ("From", mime.mailbox("From", config.instance_display_name, config.from_address)),
        ("Reply-To", mime.mailbox("Reply-To", config.instance_display_name, config.reply_to_address)),
        ("To", to),  # in UTF-8 where the address is not ASCII (RFC 6532): it has no other spelling
        ("Subject", mime.words("Subject", subject)),
        ("Message-ID", identity),
        # RFC 3834, section 5: no holiday notices in answer to this.
        ("Auto-Submitted", "auto-generated"),
        ("X-Auto-Response-Suppress", "All"),
        ("Content-Language", ", ".join(languages)),
        *config.headers,
    ]
