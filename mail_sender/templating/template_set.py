"""The template set: which file makes which part of a mail.

    <kind>/subject.txt.j2, body.txt.j2, body.html.j2    the parts; in German, body.de.html.j2 goes first
    _base.txt.j2, _base.html.j2, _style.css.j2          the frame that our parts extend
    wording/<language>.toml                             the sentences (`wording`); de-CH has what differs from de

Ours are inside the package. An operator's folder overrides them file by file, and all of it is read when the
configuration is: a mail is made of nothing that lies on a disk. Of a part its own file in the mail's language goes
first, then its file for all languages, and the operator's always before ours. Templates run in a sandbox
(`template_sandbox`).
"""

import difflib
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import jinja2

from mail_sender.templating import filters, override_folder, wording
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.sandbox import Sandbox
from mail_sender.templating.wording import Wording

PARTS = ("subject.txt", "body.txt", "body.html")
FRAME = ("_base.txt.j2", "_base.html.j2", "_style.css.j2")
_ASKED = re.compile(r"\bsay(?:\.|\[['\"])(\w+)")
LARGEST = 1024 * 1024
"""Octets of one file, at most."""


class NoTemplate(Exception):
    """Nothing makes this part of this kind; the text names it."""


class BadFile(Exception):
    """A file of the override cannot be used: `name` in the folder, and what is wrong with it."""

    def __init__(self, name: str, found: str) -> None:
        super().__init__(f"{name}: {found}")
        self.name = name
        self.found = found


@dataclass(frozen=True, slots=True)
class Source:
    """A file of the operator's: its name in the folder, and what it serves; None where nobody asks for it."""

    name: str
    serves: str | None
    hint: str = ""


@dataclass(frozen=True)
class TemplateSet:
    """Our files and the operator's, by name, and the wordings made of both."""

    ours: Mapping[str, str] = field(repr=False)
    theirs: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def load(cls, override: Path | None = None) -> "TemplateSet":
        """Return the set with a folder's overrides.

        Raises `BadFile`; OSError where the folder cannot be read.
        """
        made = cls(_shipped(), dict(_files(override)) if override else {})
        made.wordings  # noqa: B018 - a faulty catalogue is found now, not with the first mail
        return made

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """Every kind that there are files for, known or not."""
        paths = [name.rpartition("/") for name in self._names]
        return tuple(
            sorted({folder for folder, _, file in paths if folder and "/" not in folder and _is_a_part(file)})
        )

    @cached_property
    def wordings(self) -> dict[str, Wording]:
        """The wordings by language; what an operator's catalogue lacks is ours."""
        found: dict[str, dict[str, Any]] = {}
        for files in (self.ours, self.theirs):
            for name, text in files.items():
                if is_catalogue(name):
                    _merge(found.setdefault(Path(name).stem, {}), _catalogue(name, text))
        return {language: _wording(language, _with_base(language, found)) for language in found}

    def wording(self, language: str, *, ours: bool = False) -> Wording:
        """Return the sentences of a language tag, of de-CH or else of de; `ours` leaves the operator's aside.

        In a language that we do not have they are the operator's all the same. Raises KeyError where there are none.
        """
        if ours and self.theirs and self._without_overrides.speaks(language):
            return self._without_overrides.wording(language)
        return self.wordings[language if language in self.wordings else wording.catalogue(language)]

    def speaks(self, language: str) -> bool:
        """Say whether there are sentences in a language."""
        return not self.wordings.keys().isdisjoint({language, wording.catalogue(language)})

    def get(self, name: str, *, ours: bool = False) -> jinja2.Template:
        """Return a template by its file's name; `ours` leaves the operator's aside.

        Raises jinja2.TemplateError where it cannot be found or compiled.
        """
        return (self._built_in if ours else self.environment).get_template(name)

    def file(self, kind: str, part: str, language: str, *, ours: bool = False) -> str:
        """Return the name of the file that makes a part.

        Raises `NoTemplate`.
        """
        for files in [self.ours] if ours else [self.theirs, self.ours]:
            for name in _candidates(kind, part, language):
                if name in files:
                    return name
        cure = f"add a folder {kind} to [templates] override_path (docs/templates.md), or update mail-sender"
        raise NoTemplate(f"there is no template {kind}/{part}.j2: {cure}")

    def is_theirs(self, name: str) -> bool:
        """Say whether a file is the operator's."""
        return name in self.theirs

    def has_our_own(self, kind: str) -> bool:
        """Say whether we have templates of this kind that could stand in for the operator's."""
        return bool(self.theirs) and f"{kind}/body.txt.j2" in self.ours

    @cached_property
    def _without_overrides(self) -> "TemplateSet":
        return TemplateSet(self.ours)

    @cached_property
    def environment(self) -> jinja2.Environment:
        """Where templates are found, the operator's before ours."""
        return Sandbox({**self.ours, **self.theirs}, filters.FILTERS)

    @cached_property
    def _built_in(self) -> jinja2.Environment:
        """Where ours alone are found."""
        return Sandbox(self.ours, filters.FILTERS)

    def sources(self) -> Iterator[Source]:
        """Yield what each file of the operator's is for."""
        for name in sorted(self.theirs):
            yield _source(name, self)

    def asks_for(self, name: str) -> bool:
        """Say whether any template names a file, in quotes."""
        quoted = (f'"{name}"', f"'{name}'")
        return any(one in text for text in (*self.ours.values(), *self.theirs.values()) for one in quoted)

    @cached_property
    def sentences(self) -> frozenset[str]:
        """The names of all sentences that any template asks for."""
        texts = (text for name, text in {**self.ours, **self.theirs}.items() if name.endswith(".j2"))
        return frozenset(name for text in texts for name in _ASKED.findall(text))

    @property
    def _names(self) -> set[str]:
        return {*self.ours, *self.theirs}


def is_catalogue(name: str) -> bool:
    """Say whether a file holds sentences."""
    return name.startswith("wording/") and name.endswith(".toml") and name.count("/") == 1


@cache
def built_in() -> TemplateSet:
    """Return the set without overrides."""
    return TemplateSet.load()


@cache
def shipped_folder() -> Path:
    """Return the folder of our own templates."""
    inside = Path(__file__).parents[1] / "templates"
    # In a checkout the templates stand beside the package; the wheel carries them inside it.
    return inside if inside.is_dir() else Path(__file__).parents[2] / "templates"


@cache
def _shipped() -> dict[str, str]:
    return dict(_files(shipped_folder()))


def _files(folder: Path) -> Iterator[tuple[str, str]]:
    for path in override_folder.entries(folder):
        if path.is_file():
            name = path.relative_to(folder).as_posix()
            yield name, _read(path, name)


def _read(path: Path, name: str) -> str:
    if path.stat().st_size > LARGEST:
        raise BadFile(name, "is larger than 1 MiB")
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile(name, "is not UTF-8") from None


def _catalogue(name: str, text: str) -> dict[str, Any]:
    try:
        found = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also a number of thousands of digits
        raise BadFile(name, f"is not TOML: {error}") from None
    for table, sentences in found.items():
        if table != "reviewed" and not (
            isinstance(sentences, dict) and all(isinstance(sentence, str) for sentence in sentences.values())
        ):
            raise BadFile(name, f"{table} must be a table of sentences")
    return found


def _merge(tables: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        tables[name] = {**tables.get(name, {}), **value} if isinstance(value, dict) else value


def _with_base(language: str, found: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    """Return the tables of a language; what those of a region's lack is their language's."""
    tables: dict[str, Any] = {}
    for name in dict.fromkeys((wording.catalogue(language), language)):
        _merge(tables, found.get(name, {}))
    return tables


def _wording(language: str, found: dict[str, Any]) -> Wording:
    try:
        wording.locale(language)
    except wording.BadLanguage as error:
        raise BadFile(f"wording/{language}.toml", f"is no language: {error}") from None
    reviewed = found.pop("reviewed", True) is True
    return Wording(language, reviewed, found)


def _candidates(kind: str, part: str, language: str) -> list[str]:
    name, _, extension = part.partition(".")
    languages = dict.fromkeys((language, wording.catalogue(language)))
    return [*(f"{kind}/{name}.{tag}.{extension}.j2" for tag in languages), f"{kind}/{part}.j2"]


def _source(name: str, files: TemplateSet) -> Source:
    folder, _, file = name.rpartition("/")
    known = {*FRAME, *filter(is_catalogue, files.ours)}
    if name in known or is_catalogue(name):
        return Source(name, "the frame of every kind" if name in FRAME else f"sentences in {Path(name).stem}")
    if folder and folder.count("/") == 0 and _is_a_part(file):
        return Source(name, folder)
    if name.endswith(".j2") and file.startswith("_") and files.asks_for(name):
        return Source(name, "what includes it")
    names = [*known, *(f"{kind}/{part}.j2" for kind in KINDS for part in PARTS)]
    near = difflib.get_close_matches(name, names, 1, 0.5)
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
