"""What there is of templates: kinds with their parts, languages, the operator's files that nothing asks for.

Each thing is a dictionary, ready to be printed as JSON; `template_text` makes lines for a person of it.
"""

from collections.abc import Iterator
from typing import Any

from mail_sender.preview.config import Basis
from mail_sender.templating import kinds
from mail_sender.templating.kinds import Kind
from mail_sender.templating.template_set import FRAME, PARTS, NoTemplate

Entry = dict[str, Any]


def entries(basis: Basis) -> Iterator[Entry]:
    """Yield an entry for each kind, one for what every kind has, then the languages and the files without use."""
    templates = basis.mail.appearance.templates
    for kind in templates.kinds:
        yield {"kind": kind, "parts": list(_parts(basis, kind)), "variables": Kind(kind).own}
    yield {"kind": None, "parts": list(_frame(basis)), "variables": kinds.COMMON}
    for language, wording in sorted(templates.wordings.items()):
        name = f"wording/{language}.toml"
        yours = str(basis.place(name)) if templates.is_theirs(name) else ""
        yield {"language": language, "reviewed": wording.reviewed, "yours": yours}
    for source in templates.sources():
        if source.serves is None:
            yield {"unused": str(basis.place(source.name)), "hint": source.hint}


def languages(basis: Basis) -> tuple[str, ...]:
    """Return every language that a mail may be asked for in: with sentences, set in the configuration, or both."""
    appearance = basis.mail.appearance
    return tuple(sorted({*appearance.templates.wordings, *appearance.languages.all}))


def sources(basis: Basis, kind: str, parts: tuple[str, ...], language: str) -> Iterator[Entry]:
    """Yield the template of each part in a language, with where it lies.

    Raises `NoTemplate`.
    """
    templates = basis.mail.appearance.templates
    for part in parts:
        name = templates.file(kind, part, language)
        yield {
            "kind": kind,
            "part": part,
            "yours": templates.is_theirs(name),
            "file": str(basis.place(name)),
            "source": (templates.theirs if templates.is_theirs(name) else templates.ours)[name],
        }


def _frame(basis: Basis) -> Iterator[Entry]:
    templates = basis.mail.appearance.templates
    for name in FRAME:
        place = {"file": str(basis.place(name)), "yours": templates.is_theirs(name)}
        yield {"part": name.removesuffix(".j2"), "languages": list(languages(basis)), **place}


def _parts(basis: Basis, kind: str) -> Iterator[Entry]:
    """Yield each part once for every file that makes it, with the languages in which it does."""
    templates = basis.mail.appearance.templates
    for part in PARTS:
        served: dict[str | None, list[str]] = {}
        for language in languages(basis):
            try:
                served.setdefault(templates.file(kind, part, language), []).append(language)
            except NoTemplate:
                served.setdefault(None, []).append(language)
        for name, spoken in served.items():
            place = str(basis.place(name)) if name else None
            yield {"part": part, "languages": spoken, "file": place, "yours": templates.is_theirs(name or "")}
