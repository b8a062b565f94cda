"""The template set: which file makes which part of a mail.

    <kind>/subject.txt.j2, body.txt.j2, body.html.j2    the parts; in German, body.de.html.j2 goes first
    _base.txt.j2, _base.html.j2, _style.css.j2          the frame that the built-in parts extend
    wording/<language>.toml                             the sentences (`wording`); de-CH has what differs from de

The built-in files (`ours`) are inside the package. An operator's override folder (`theirs`) replaces them file by
file. Of the files that could make a part, the first of these is taken: the operator's in the mail's language, the
operator's for all languages, the built-in one in the mail's language, the built-in one for all languages. Templates
run in a sandbox (`sandbox`); a set that has an operator's templates runs in a process of its own (`process`).
"""

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jinja2

from mail_sender.templating import catalogues, filters, placing, process, sandbox, styles, template_files, wording
from mail_sender.templating.catalogues import is_catalogue
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.sandbox import Failed, Sandbox
from mail_sender.templating.wording import Wording

PARTS = ("subject.txt", "body.txt", "body.html")
FRAME = ("_base.txt.j2", "_base.html.j2", "_style.css.j2")
_ASKED = re.compile(r"\bsay(?:\.|\[['\"])(\w+)")


class NoTemplate(Exception):
    """There is no file for this part of this kind; the text names it."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of an override folder: its name, and what it serves; None if nothing uses it."""

    name: str
    serves: str | None
    hint: str = ""


@dataclass(frozen=True)
class TemplateSet:
    """The built-in files and the operator's, by name, and the sentences of both."""

    ours: Mapping[str, str] = field(repr=False)
    theirs: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, override: Path | None = None) -> "TemplateSet":
        """Return the set with the files of an override folder.

        Raises `BadFile`; OSError if the folder cannot be read.
        """
        made = cls(template_files.shipped(), template_files.read(override) if override else {})
        made.wordings  # noqa: B018 - a faulty catalogue is found now, not with the first mail
        return made

    def fallback(self, kind: str) -> "TemplateSet | None":
        """Return the set that renders a kind if a template of the operator's fails; None if there is none."""
        return self.without_overrides if self.theirs and f"{kind}/body.txt.j2" in self.ours else None

    @cached_property
    def without_overrides(self) -> "TemplateSet":
        """The built-in set; in languages that have no built-in sentences, the operator's sentences stay."""
        built_in = TemplateSet(self.ours)
        catalogue_names = filter(is_catalogue, self.theirs)
        foreign = [name for name in catalogue_names if not built_in.speaks(catalogues.language(name))]
        return TemplateSet(self.ours, {name: self.theirs[name] for name in foreign}) if foreign else built_in

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that there are files for, known or not."""
        paths = [name.rpartition("/") for name in (*self.ours, *self.theirs)]
        return tuple(
            sorted({folder for folder, _, file in paths if folder and "/" not in folder and _is_a_part(file)})
        )

    @cached_property
    def wordings(self) -> dict[str, Wording]:
        """The sentences by language; what an operator's catalogue lacks is built in. Raises `BadFile`."""
        return catalogues.wordings(self.ours, self.theirs)

    def wording(self, language: str) -> Wording:
        """Return the sentences of a language tag: of de-CH, or else of de. Raises KeyError if there are none."""
        return self.wordings[language if language in self.wordings else wording.base_language(language)]

    def speaks(self, language: str) -> bool:
        """Say whether there are sentences in a language."""
        return not self.wordings.keys().isdisjoint({language, wording.base_language(language)})

    def get(self, name: str) -> jinja2.Template:
        """Return a template by its file's name. Raises jinja2.TemplateError if it cannot be found or compiled."""
        return self.environment.get_template(name)

    def run(self, name: str, variables: Mapping[str, Any], *, page: bool = False) -> str:
        """Return what a template makes of these variables, by its file's name; of a page, with its styles in place.

        Raises `Failed`.
        """
        if self._has_foreign_templates:
            return process.run(self._files, name, variables, page=page)
        try:
            made = sandbox.run(self.get(name), variables)
            return styles.inlined(made) if page else made
        except Exception as error:  # noqa: BLE001 - a template is a program: anything can go wrong in it
            raise Failed(sandbox.failure(error, name)) from None

    def only_places(self, name: str) -> bool:
        """Say whether a template writes constant pieces and the values of its variables only (`placing`)."""
        return placing.only_places(self.environment, name)

    def require_compiled(self, name: str) -> None:
        """Compile an operator's template. Raises jinja2.TemplateSyntaxError, or `Failed` if Python cannot do it."""
        process.require_compiled(self._files, name)

    def file(self, kind: str, part: str, language: str) -> str:
        """Return the name of the file that makes a part. Raises `NoTemplate`."""
        for files in (self.theirs, self.ours):
            for name in _candidates(kind, part, language):
                if name in files:
                    return name
        cure = f"add a folder {kind} to [templates] override_path (docs/templates.md), or update mail-sender"
        raise NoTemplate(f"there is no template {kind}/{part}.j2: {cure}")

    @cached_property
    def _files(self) -> dict[str, str]:
        return {**self.ours, **self.theirs}

    @cached_property
    def _has_foreign_templates(self) -> bool:
        return any(name.endswith(".j2") for name in self.theirs)

    @cached_property
    def environment(self) -> jinja2.Environment:
        """Where templates are found, the operator's before the built-in ones."""
        return Sandbox(self._files, filters.FILTERS)

    def sources(self) -> Iterator[Source]:
        """Yield what each file of the operator's is for."""
        for name in sorted(self.theirs):
            yield _source(name, self)

    @cached_property
    def sentences(self) -> frozenset[str]:
        """The names of all sentences that any template uses."""
        texts = (text for name, text in {**self.ours, **self.theirs}.items() if name.endswith(".j2"))
        return frozenset(name for text in texts for name in _ASKED.findall(text))


@cache
def built_in() -> TemplateSet:
    """Return the set without an override folder."""
    return TemplateSet.load()


def _candidates(kind: str, part: str, language: str) -> list[str]:
    name, _, extension = part.partition(".")
    languages = dict.fromkeys((language, wording.base_language(language)))
    return [*(f"{kind}/{name}.{tag}.{extension}.j2" for tag in languages), f"{kind}/{part}.j2"]


def _source(name: str, files: TemplateSet) -> Source:
    folder, _, file = name.rpartition("/")
    if name in FRAME:
        return Source(name, "the frame of every kind")
    if is_catalogue(name):
        return Source(name, f"sentences in {catalogues.language(name)}")
    if folder and folder.count("/") == 0 and _is_a_part(file):
        return Source(name, folder)
    quoted = (f'"{name}"', f"'{name}'")
    is_named = any(one in text for text in (*files.ours.values(), *files.theirs.values()) for one in quoted)
    if name.endswith(".j2") and file.startswith("_") and is_named:
        return Source(name, "what includes it")
    parts = [f"{kind}/{part}.j2" for kind in KINDS for part in PARTS]
    near = difflib.get_close_matches(name, [*FRAME, *filter(is_catalogue, files.ours), *parts], 1, 0.5)
    return Source(name, None, f"did you mean {near[0]}?" if near else "")


def _is_a_part(file: str) -> bool:
    """Say whether a file's name is a part's, in one language or all."""
    pieces = file.split(".")
    if len(pieces) == 4:
        try:
            wording.locale(pieces.pop(1))
        except wording.BadLanguage:
            return False
    return ".".join(pieces) in {f"{part}.j2" for part in PARTS}
