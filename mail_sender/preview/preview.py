"""A preview: the mail of a specimen, made by the code that makes real mail, and taken apart again to be looked at."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from functools import cached_property
from typing import Any

from mail_sender.mail import mime
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.templating import samples
from mail_sender.templating.languages import Languages

TWO = "+"
"""Stands between two languages of one mail: `en+de`."""


@dataclass(frozen=True)
class Preview:
    """A finished mail: `letter.fault` says which of the operator's templates failed, where ours stood in."""

    mail: Mail

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers in their order, unfolded and decoded."""
        # The policy `default` reads long encoded names wrongly before Python 3.13.
        parsed = message_from_bytes(self.mail.content, policy=compat32)
        unfolded = [(name, "".join(value.splitlines())) for name, value in parsed.items()]
        return [(name, str(make_header(decode_header(value)))) for name, value in unfolded]

    @property
    def subject(self) -> str:
        """The subject."""
        return dict(self.headers)["Subject"]

    @property
    def text(self) -> str:
        """The text part."""
        return self._body("plain") or ""

    @property
    def html(self) -> str | None:
        """The HTML part as a page of its own, the logo inside it; None where mails have none."""
        html = self._body("html")
        for part in self._mail.walk():
            if html and part.get_content_maintype() == "image":
                content = base64.b64encode(part.get_content()).decode()
                html = html.replace(mime.LOGO, f"data:{part.get_content_type()};base64,{content}")
        return html

    @cached_property
    def _mail(self) -> EmailMessage:
        return message_from_bytes(self.mail.content, policy=default)

    def _body(self, subtype: str) -> str | None:
        part = self._mail.get_body((subtype,))
        return str(part.get_content()) if part is not None else None


def made(mail: MailConfig, kind: str, language: str | None, data: Mapping[str, Any] | None = None) -> Preview:
    """Return the preview of a kind, in one language or two (`en+de`), or as the rules have it for the specimen.

    Raises `BadData`, `BrokenTemplate`, `Unrenderable`.
    """
    if language is not None:
        mail = replace(mail, appearance=replace(mail.appearance, languages=Languages.spoken(language.split(TWO))))
    now = datetime.now(UTC).replace(microsecond=0)
    return Preview(render(samples.message(kind, now, data), samples.RECIPIENT, mail, now))
