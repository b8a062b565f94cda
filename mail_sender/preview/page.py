"""The page of previews: every kind in every language, made anew for each request.

The page is plain HTML, with a script that only switches language, width and colours. A mail's HTML is a page of its
own, in a sandboxed frame. If a mail cannot be made, the page shows a sentence that says why.
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
from mail_sender.preview import inventory
from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.preview.sample_mail import TWO, SampleMail, render_sample
from mail_sender.templating import samples, wording

FILES = Path(__file__).with_name("static")
_PREFERENCE = re.compile(r"\(\s*prefers-color-scheme\s*:\s*(light|dark)\s*\)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Previews:
    """The sample mails that the page shows.

    `read` and `fields` read the configuration and the fields anew for each request; `kind` and `language` limit the
    page to one of them.
    """

    read: Callable[[], LenientConfig]
    kind: str | None = None
    language: str | None = None
    fields: Callable[[], dict[str, Any]] = dict

    def sample(self, kind: str, language: str) -> SampleMail:
        """Return one sample mail, from the files as they are now. Raises `MailSenderError`."""
        return self._sample(self.read().usable, kind, language)

    def page(self) -> str:
        """Return the page as HTML, with the faults of the configuration on it."""
        try:
            config = self.read()
            rows = list(self._rows(config.usable))
        except MailSenderError as error:
            return _page().render(rows=[], languages={}, notes=[str(error)])
        languages = {card["language"]: card["name"] for _, cards in rows for card in cards}
        return _page().render(rows=rows, languages=languages, notes=[*map(str, config.faults), *config.warnings])

    def _rows(self, config: LenientConfig) -> Iterator[tuple[str, list[dict[str, Any]]]]:
        languages = [self.language] if self.language else _in_order(config)
        for kind in [self.kind] if self.kind else config.mail.appearance.templates.kinds:
            yield kind, [self._card(config, kind, language) for language in languages]

    def _card(self, config: LenientConfig, kind: str, language: str) -> dict[str, Any]:
        templates = config.mail.appearance.templates
        spoken = language.split(TWO)
        reviewed = all(templates.speaks(one) and templates.wording(one).reviewed for one in spoken)
        name = " and ".join(f"{wording.locale(one).get_language_name('en')} ({one})" for one in spoken)
        shown = {"language": language, "name": name, "reviewed": reviewed, "path": f"/mail/{kind}/{language}"}
        try:
            return {**shown, "preview": self._sample(config, kind, language), "fault": None}
        except MailSenderError as error:
            return {**shown, "preview": None, "fault": str(error)}

    def _sample(self, config: LenientConfig, kind: str, language: str) -> SampleMail:
        templates, known = config.mail.appearance.templates, {*_in_order(config), self.language}
        speaks = language in known and all(map(templates.speaks, language.split(TWO)))
        if kind not in templates.kinds or not speaks:
            raise MailSenderError(f"there is no {kind} in {language}")
        try:
            return render_sample(config.mail, kind, language, self.fields() if kind == self.kind else None)
        except (BrokenTemplate, Unrenderable, samples.BadData) as error:
            raise MailSenderError(str(error)) from None


def coloured(html: str, colours: str) -> str:
    """Return a mail's HTML as it looks to a reader who prefers `light` or `dark`, whatever this browser prefers."""
    if colours not in {"light", "dark"}:
        return html
    fixed = _PREFERENCE.sub(lambda found: "(min-width: 0)" if found[1].lower() == colours else "(max-width: 0)", html)
    return f"{fixed}<style>:root {{ color-scheme: only {colours} !important; }}</style>"


def _in_order(config: LenientConfig) -> list[str]:
    """Return the languages: first the pairs in one mail, then each that mails are written in, then the others."""
    languages = config.mail.appearance.languages
    pairs = [TWO.join(choice) for choice in languages.choices if len(choice) > 1]
    others = sorted(set(inventory.languages(config)) - set(languages.all))
    return [*pairs, *languages.all, *others]


@cache
def _page() -> jinja2.Template:
    text = (FILES / "page.html.j2").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined).from_string(text)
