"""The page of previews: every kind in every language, side by side, made anew each time that it is asked for.

It is plain HTML, with a script that only switches width and colours. A mail's HTML is a page of its own, in a
sandboxed frame. Where no mail can be made, the sentence that says why stands in its place.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import jinja2

from mail_sender.errors import MailSenderError
from mail_sender.mail.render import BrokenTemplate, Unrenderable
from mail_sender.preview import inventory, preview
from mail_sender.preview.config import Basis
from mail_sender.preview.preview import TWO, Preview
from mail_sender.templating import samples, wording

FILES = Path(__file__).with_name("static")
_PREFERENCE = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)


class NoPreview(Exception):
    """There is none to show; the text says why."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page is about: how to read the configuration and the fields, and which kind and language alone."""

    read: Callable[[], Basis]
    kind: str | None = None
    language: str | None = None
    fields: Callable[[], dict[str, Any]] = dict

    def preview(self, kind: str, language: str) -> Preview:
        """Return one preview, from the files as they are now.

        Raises `NoPreview`.
        """
        try:
            return self._made(self.read().usable, kind, language)
        except MailSenderError as error:
            raise NoPreview(str(error)) from None

    def page(self) -> str:
        """Return the page; what is wrong stands on it."""
        try:
            basis = self.read()
            rows = list(self._rows(basis.usable))
        except MailSenderError as error:
            return _page().render(rows=[], notes=[str(error)])
        return _page().render(rows=rows, notes=[*map(str, basis.faults), *basis.warnings])

    def _rows(self, basis: Basis) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        languages = [self.language] if self.language else _in_order(basis)
        for kind in [self.kind] if self.kind else basis.mail.appearance.templates.kinds:
            yield kind, [self._card(basis, kind, language) for language in languages]

    def _card(self, basis: Basis, kind: str, language: str) -> dict[str, Any]:
        templates = basis.mail.appearance.templates
        spoken = language.split(TWO)
        reviewed = all(templates.speaks(one) and templates.wording(one).reviewed for one in spoken)
        name = " and ".join(f"{wording.locale(one).get_language_name('en')} ({one})" for one in spoken)
        shown = {"language": language, "name": name, "reviewed": reviewed, "path": f"/mail/{kind}/{language}"}
        try:
            return {**shown, "preview": self._made(basis, kind, language), "fault": None}
        except NoPreview as error:
            return {**shown, "preview": None, "fault": str(error)}

    def _made(self, basis: Basis, kind: str, language: str) -> Preview:
        templates, known = basis.mail.appearance.templates, {*_in_order(basis), self.language}
        speaks = language in known and all(map(templates.speaks, language.split(TWO)))
        if kind not in templates.kinds or not speaks:
            raise NoPreview(f"there is no {kind} in {language}")
        try:
            return preview.made(basis.mail, kind, language, self.fields() if kind == self.kind else None)
        except (BrokenTemplate, Unrenderable, samples.BadData, MailSenderError) as error:
            raise NoPreview(str(error)) from None


def coloured(html: str, colours: str) -> str:
    """Return a mail's HTML as it looks where `light` or `dark` is preferred, whatever this browser prefers."""
    if colours not in {"light", "dark"}:
        return html
    fixed = _PREFERENCE.sub(lambda found: "(min-width: 0)" if found[1].lower() == colours else "(max-width: 0)", html)
    return f"{fixed}<style>:root {{ color-scheme: only {colours} !important; }}</style>"


def _in_order(basis: Basis) -> list[str]:
    """Return the languages: first two of them in one mail, then each that mails are written in, then the others."""
    languages = basis.mail.appearance.languages
    pairs = [TWO.join(choice) for choice in languages.choices if len(choice) > 1]
    others = sorted(set(inventory.languages(basis)) - set(languages.all))
    return [*pairs, *languages.all, *others]


@cache
def _page() -> jinja2.Template:
    text = (FILES / "page.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
