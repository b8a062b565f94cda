"""The parts of a mail as its templates make them: subject, text, and HTML with its style rules in its elements."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from markupsafe import escape

from mail_sender.mail import mime, variables
from mail_sender.mail.mime import Lines
from mail_sender.mail.variables import Variables
from mail_sender.templating.appearance import Appearance
from mail_sender.templating.sandbox import Failed
from mail_sender.templating.template_set import NoTemplate, TemplateSet


class BrokenTemplate(Exception):
    """A template failed or is missing, so the message is not to blame; the text names the file."""


@dataclass(frozen=True, slots=True)
class Parts:
    """The parts; `html` is None if mails have none, `fault` names the override template that failed."""

    subject: str
    text: list[Lines]
    html: list[Lines] | None
    shows_logo: bool = False
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Templates:
    """The templates of one kind of mail, with what they get: the variables of each language of the mail, in order.

    `in_text` and `in_page` make of a sentence, whose variables are filled in, what a template gets for it. Each
    method raises `BrokenTemplate`.
    """

    files: TemplateSet
    kind: str
    languages: Mapping[str, Variables]
    in_text: Callable[[str], object] = str
    in_page: Callable[[str], object] = escape

    def subject(self) -> str:
        """Return the subject, on one line."""
        return " ".join(self._run("subject.txt", self._values(self.in_text)).split())

    def text(self, subject: str) -> str:
        """Return the text; a body may show the subject."""
        return self._run("body.txt", {**self._values(self.in_text), "subject": subject})

    def page(self, subject: str, *, styled: bool = True) -> str:
        """Return the HTML, with its style rules in its elements unless `styled` is false."""
        return self._run("body.html", {**self._values(self.in_page), "subject": subject}, page=styled)

    def file(self, part: str) -> str:
        """Return the name of the file that makes a part."""
        try:
            return self.files.file(self.kind, part, next(iter(self.languages)))
        except NoTemplate as error:
            raise BrokenTemplate(str(error)) from None

    def _values(self, sentence: Callable[[str], object]) -> Variables:
        return variables.with_sentences(self.languages, self.kind, self.files, sentence)

    def _run(self, part: str, values: Variables, *, page: bool = False) -> str:
        try:
            return self.files.run(self.file(part), values, page=page)
        except Failed as error:
            raise BrokenTemplate(str(error)) from None


def rendered(kind: str, languages: Mapping[str, Variables], appearance: Appearance) -> Parts:
    """Render the parts; if a template of the override folder fails, render all of them with the built-in ones.

    `languages` holds the variables of each language of the mail, in order. Raises `BrokenTemplate`.
    """
    try:
        return _rendered(Templates(appearance.templates, kind, languages), html=appearance.html)
    except BrokenTemplate as error:
        built_in = appearance.templates.fallback(kind)
        if built_in is None:
            raise
        return replace(_rendered(Templates(built_in, kind, languages), html=appearance.html), fault=str(error))


def _rendered(templates: Templates, *, html: bool) -> Parts:
    subject = templates.subject()
    text = [Lines(templates.text(subject))]
    if not html:
        return Parts(subject, text, None)
    page = templates.page(subject)
    return Parts(subject, text, [Lines(page)], mime.LOGO in page)
