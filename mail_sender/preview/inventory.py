"""The inventory of templates: kinds with their parts, languages, and the operator's files that no mail uses.

Each entry is a dictionary, ready to be printed as JSON; `cli/template_text.py` makes lines for a person from it.
"""

from collections.abc import Iterator
from typing import Any

from mail_sender.preview.lenient_config import LenientConfig
from mail_sender.templating import kinds
from mail_sender.templating.template_set import FRAME, PARTS, NoTemplate

Entry = dict[str, Any]


def entries(config: LenientConfig) -> Iterator[Entry]:
    """Yield an entry for each kind, one for the common frame, then the languages and the unused files."""
    templates = config.mail.appearance.templates
    for kind in templates.kinds:
        yield {"kind": kind, "parts": list(_parts(config, kind)), "variables": kinds.own(kind)}
    yield {"kind": None, "parts": list(_frame(config)), "variables": kinds.COMMON}
    for language, wording in sorted(templates.wordings.items()):
        name = f"wording/{language}.toml"
        yours = str(config.place(name)) if name in templates.theirs else ""
        yield {"language": language, "reviewed": wording.reviewed, "yours": yours}
    for source in templates.sources():
        if source.serves is None:
            yield {"unused": str(config.place(source.name)), "hint": source.hint}


def languages(config: LenientConfig) -> tuple[str, ...]:
    """Return every language that has sentences, that the configuration names, or both."""
    appearance = config.mail.appearance
    return tuple(sorted({*appearance.templates.wordings, *appearance.languages.all}))


def sources(config: LenientConfig, kind: str, parts: tuple[str, ...], language: str) -> Iterator[Entry]:
    """Yield the template of each part in a language, with the path of its file. Raises `NoTemplate`."""
    templates = config.mail.appearance.templates
    for part in parts:
        name = templates.file(kind, part, language)
        yield {
            "kind": kind,
            "part": part,
            "yours": name in templates.theirs,
            "file": str(config.place(name)),
            "source": {**templates.ours, **templates.theirs}[name],
        }


def _frame(config: LenientConfig) -> Iterator[Entry]:
    templates = config.mail.appearance.templates
    for name in FRAME:
        place = {"file": str(config.place(name)), "yours": name in templates.theirs}
        yield {"part": name.removesuffix(".j2"), "languages": list(languages(config)), **place}


def _parts(config: LenientConfig, kind: str) -> Iterator[Entry]:
    """Yield each part once for every file that makes it, with the languages in which it does."""
    templates = config.mail.appearance.templates
    for part in PARTS:
        served: dict[str | None, list[str]] = {}
        for language in languages(config):
            try:
                served.setdefault(templates.file(kind, part, language), []).append(language)
            except NoTemplate:
                served.setdefault(None, []).append(language)
        for name, tags in served.items():
            place = str(config.place(name)) if name else None
            yield {"part": part, "languages": tags, "file": place, "yours": name in templates.theirs}
