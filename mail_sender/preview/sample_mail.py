"""A sample mail: made by the code that makes real mail, then parsed again to be shown or written to a file."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.policy import compat32, default
from functools import cached_property
from pathlib import Path
from typing import Any

from mail_sender.errors import MailSenderError, NotAllowed, UsageError
from mail_sender.mail import mime
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mail import Mail
from mail_sender.mail.render import render
from mail_sender.templating import samples
from mail_sender.templating.languages import Languages

TWO = "+"
"""The sign between two languages of one mail: `en+de`."""


@dataclass(frozen=True)
class SampleMail:
    """A finished mail. `mail.fault` says which of the operator's templates failed and was left out."""

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
        """The HTML part as a page of its own, with the logo inside it; None if mails have no HTML part."""
        html = self._body("html")
        for part in self._parsed.walk():
            if html and part.get_content_maintype() == "image":
                content = base64.b64encode(part.get_content()).decode()
                html = html.replace(mime.LOGO, f"data:{part.get_content_type()};base64,{content}")
        return html

    def write(self, path: Path) -> None:
        """Write the mail (`.eml`), its HTML (`.html`) or its text (`.txt`), as the file's suffix says.

        Raises `UsageError` for another suffix, `MailSenderError` if the file cannot be written.
        """
        html = self.html
        contents = {".eml": self.mail.content, ".txt": self.text.encode(), ".html": html.encode() if html else b""}
        if path.suffix not in contents:
            raise UsageError(f"{path}: the name must end in .eml, .html or .txt, which chooses what is written")
        if not (content := contents[path.suffix]):
            raise MailSenderError("mails have no HTML part: the configuration says html = false")
        try:
            path.write_bytes(content)
        except OSError as error:
            raise MailSenderError(f"{path} cannot be written: {error.strerror}") from None

    @cached_property
    def _parsed(self) -> EmailMessage:
        return message_from_bytes(self.mail.content, policy=default)

    def _body(self, subtype: str) -> str | None:
        part = self._parsed.get_body((subtype,))
        return str(part.get_content()) if part is not None else None


def render_sample(
    mail: MailConfig, kind: str, language: str | None, fields: Mapping[str, Any] | None = None
) -> SampleMail:
    """Return the sample of a kind in one language or two (`en+de`); without a language, the configuration decides.

    `fields` replace those of the made-up message. Raises `BadData`, `BrokenTemplate`, `Unrenderable`.
    """
    if language is not None:
        mail = replace(mail, appearance=replace(mail.appearance, languages=Languages.spoken(language.split(TWO))))
    now = datetime.now(UTC).replace(microsecond=0)
    return SampleMail(render(samples.message(kind, now, fields), samples.RECIPIENT, mail, now))


def read_fields(path: Path | None) -> dict[str, Any]:
    """Return the fields that a JSON file holds for the made-up message; none without a file.

    Raises `UsageError`, `NotAllowed`.
    """
    if path is None:
        return {}
    try:
        return samples.data(path.read_text(encoding="utf-8-sig"))
    except samples.BadData as error:
        raise UsageError(f"{path}: {error}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path} is not UTF-8") from None
    except PermissionError as error:
        raise NotAllowed(f"{path} cannot be read: {error.strerror}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
