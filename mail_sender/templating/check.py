"""Checks an override folder before a mail is made from it; each fault names its file and, if known, the line.

1. Each template is parsed; each variable, sentence (`say.x`) and file that it names must exist. A file that others
   include may also name what these have set.
2. A sentence of a catalogue may name only variables that its kind has. A language in which mails are written needs
   all sentences that the built-in templates use.
3. Samples of each kind are rendered in each choice of languages (`config.appearance`, not here): some faults show
   only when a template runs.

Only the operator's files are checked. A kind that this version does not know is not rendered in the third step, since
its fields are unknown.
"""

import difflib
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import jinja2
from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE

from mail_sender.templating import catalogues, kinds
from mail_sender.templating.catalogues import is_catalogue
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.languages import Languages
from mail_sender.templating.sandbox import Failed
from mail_sender.templating.template_set import PARTS, NoTemplate, TemplateSet
from mail_sender.templating.wording import COMMON, places, without_places


@dataclass(frozen=True, slots=True)
class Finding:
    """A fault of a file: its name in the folder, the line if it is known, what was found and what was expected."""

    name: str
    line: int | None
    found: str
    expected: str


_OF_GO = re.compile(r"\{\{-?\s*(\.\w|(if|else|end|range|with|define|template)\b)")
_OF_PYTHON = (SyntaxError, ValueError, RecursionError, Failed)  # what Python raises when it compiles a template
_OF_JINJA = frozenset({"loop", "self", "super", "caller", "varargs", "kwargs"})
_LIST = "`mail-sender template list` shows all variables"


def faults(templates: TemplateSet, languages: Languages) -> Iterator[Finding]:
    """Yield each fault that keeps an operator's file from being used for mails in these languages."""
    names = _all_set_names(templates)
    for name, text in templates.theirs.items():
        if name.endswith(".j2"):
            yield from _template_faults(templates, name, text, names)
        elif is_catalogue(name):
            yield from _wording_faults(templates, name)
    for language in languages.all:
        yield from _missing_sentences(templates, language)
    for kind in templates.kinds:
        for part in PARTS:
            yield from _missing(templates, kind, part, languages)


def warnings(templates: TemplateSet, languages: Languages) -> Iterator[str]:
    """Yield what works but is probably a mistake: unused files and sentences, parts that may not agree."""
    for source in templates.sources():
        if source.serves is None:
            yield f"{source.name}: nothing uses this file{'; ' if source.hint else ''}{source.hint}"
    for name in filter(is_catalogue, templates.theirs):
        yield from _unused_sentences(templates, name)
    for kind in KINDS:
        yield from dict.fromkeys(_halves(templates, kind, languages))


def _halves(templates: TemplateSet, kind: str, languages: Languages) -> Iterator[str]:
    for language in languages.all:
        text, html = (templates.file(kind, part, language) for part in ("body.txt", "body.html"))
        if (text in templates.theirs) != (html in templates.theirs):
            mine, other = (text, html) if text in templates.theirs else (html, text)
            yield f"{mine} is yours and {other} is built in: the two parts of a mail should say the same"


def _unused_sentences(templates: TemplateSet, name: str) -> Iterator[str]:
    used = templates.sentences
    for table, sentences in catalogues.tables(name, templates.theirs[name]).items():
        for sentence, text in sentences.items():
            if sentence not in used:
                near = difflib.get_close_matches(sentence, sorted(used), 1, 0.6)
                hint = f"; did you mean {near[0]}?" if near else ""
                yield f"{name}: [{table}] {sentence}: nothing uses this sentence{hint}"
            if "{" in without_places(text) or "}" in without_places(text):
                yield f"{name}: [{table}] {sentence}: a brace that belongs to no variable is sent as it is"


def _template_faults(templates: TemplateSet, name: str, text: str, names: set[str]) -> Iterator[Finding]:
    try:
        tree = templates.environment.parse(text, name)
        folder = name.rpartition("/")[0]
        kind = folder if folder in templates.kinds else None
        included = name.rpartition("/")[2].startswith("_")
        yield from _unknown_variables(tree, name, kind, names if included else set())
        yield from _unknown_sentences(templates, tree, name, kind)
        yield from _unknown_files(templates, tree, name)
        templates.require_compiled(name)  # unknown filters and tests show only here
    except jinja2.TemplateSyntaxError as error:
        yield Finding(error.name or name, error.lineno, (error.message or "").rstrip("."), _expected(text))
    except _OF_PYTHON as error:
        yield Finding(name, None, f"cannot be compiled ({error})", "expected a template that is nested less deep")


def _expected(text: str) -> str:
    go = "; this looks like a Go template (docs/templates.md, Coming from Ory Kratos)" if _OF_GO.search(text) else ""
    return f"expected a Jinja template{go}"


def _unknown_variables(tree: nodes.Template, name: str, kind: str | None, more: set[str]) -> Iterator[Finding]:
    its_own = [kinds.own(kind)] if kind else [*KINDS.values(), kinds.FIELDS]
    known = frozenset(kinds.COMMON).union(*its_own)
    expected = f"{kind} has {', '.join(sorted(kinds.own(kind)))} of its own" if kind else _LIST
    lines: dict[str, int] = {}
    for found in tree.find_all(nodes.Name):
        if found.ctx == "load":
            lines.setdefault(found.name, found.lineno)
    for variable in sorted(lines.keys() - known - more - _set_names(tree) - DEFAULT_NAMESPACE.keys() - _OF_JINJA):
        yield Finding(name, lines[variable], f'unknown variable "{variable}"', expected)


def _set_names(tree: nodes.Template) -> set[str]:
    """Return the names that a template sets, loops over, takes as arguments or imports."""
    made = {found.name for found in tree.find_all(nodes.Name) if found.ctx != "load"}
    made |= {macro.name for macro in tree.find_all(nodes.Macro)}
    made |= {other.target for other in tree.find_all(nodes.Import)}
    for other in tree.find_all(nodes.FromImport):
        made |= {one if isinstance(one, str) else one[1] for one in other.names}
    return made


def _all_set_names(templates: TemplateSet) -> set[str]:
    """Return the names that any template of the operator's sets: a file that it includes may use them."""
    made: set[str] = set()
    for name, text in templates.theirs.items():
        if name.endswith(".j2"):
            with suppress(jinja2.TemplateSyntaxError, *_OF_PYTHON):  # reported by _template_faults
                made |= _set_names(templates.environment.parse(text, name))
    return made


def _unknown_sentences(
    templates: TemplateSet, tree: nodes.Template, name: str, kind: str | None
) -> Iterator[Finding]:
    for_all = [wording.names(kind or COMMON) for wording in templates.wordings.values()]
    known = frozenset.union(*for_all) | {"language"}
    for found in tree.find_all(nodes.Getattr):
        if isinstance(found.node, nodes.Name) and found.node.name == "say" and found.attr not in known:
            expected = f"add it to a file in wording/, or use one of {', '.join(sorted(known - {'language'}))}"
            yield Finding(name, found.lineno, f'no language has a sentence "{found.attr}"', expected)


def _unknown_files(templates: TemplateSet, tree: nodes.Template, name: str) -> Iterator[Finding]:
    for found in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        other = found.template  # type: ignore[attr-defined]  # each of the four has it; what they share has not
        if not isinstance(other, nodes.Const):
            continue
        if other.value not in {*templates.theirs, *templates.ours}:
            expected = "a name is relative to the override folder"
            yield Finding(name, found.lineno, f'there is no file "{other.value}"', expected)
        elif name.endswith(".html.j2") and str(other.value).endswith(".txt.j2"):
            expected = "a file that HTML includes must end in .html.j2, so that it is escaped"
            yield Finding(name, found.lineno, f'"{other.value}" is text, in which nothing is escaped', expected)


def _wording_faults(templates: TemplateSet, name: str) -> Iterator[Finding]:
    words = templates.wordings[catalogues.language(name)]
    for table, sentences in words.tables.items():
        if table != COMMON and table not in templates.kinds:
            yield Finding(name, None, f"[{table}] is not a kind of mail", f"expected {', '.join(templates.kinds)}")
            continue
        known = _texts(table)
        for sentence, text in sentences.items():
            for place in sorted(places(text) - known - {"support"}):
                expected = f"[{table}] may use {', '.join(sorted(known))}"
                line = _line(templates.theirs[name], sentence, place)
                yield Finding(name, line, f'{sentence} names "{{{place}}}", which does not exist', expected)


def _line(text: str, sentence: str, place: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if line.startswith(sentence) and f"{{{place}}}" in line), None)


def _texts(table: str) -> frozenset[str]:
    """Return the variables that a sentence may name: those that are texts."""
    own = KINDS.get(table, {}) if table != COMMON else frozenset().union(*KINDS.values())
    return frozenset({"instance_display_name", "instance_url", "instance_host", "message_id", *own})


def _missing_sentences(templates: TemplateSet, language: str) -> Iterator[Finding]:
    """Yield each sentence that a language lacks, if the built-in templates make its mails and use it."""
    if not templates.speaks(language):
        return
    wording, english = templates.wording(language), templates.without_overrides.wording("en")
    for kind in KINDS:
        if all(templates.file(kind, part, language) in templates.theirs for part in PARTS):
            continue
        for sentence in sorted(english.names(kind) - wording.names(kind)):
            found = f"has no sentence {sentence} in [{kind}] or [{COMMON}]"
            text = english.tables.get(kind, {}).get(sentence) or english.tables[COMMON][sentence]
            expected = f"in English it is: {text}"
            yield Finding(f"wording/{wording.language}.toml", None, found, expected)


def _missing(templates: TemplateSet, kind: str, part: str, languages: Languages) -> Iterator[Finding]:
    lacking = [language for language in languages.all if not _has(templates, kind, part, language)]
    if lacking:
        near = difflib.get_close_matches(kind, KINDS, 1, 0.8)
        meant = f"; did you mean {near[0]}?" if near else ""
        in_some = f" for mails in {', '.join(lacking)}" if len(lacking) < len(languages.all) else ""
        yield Finding(f"{kind}/{part}.j2", None, f"is missing{in_some}", f"a kind needs {', '.join(PARTS)}{meant}")


def _has(templates: TemplateSet, kind: str, part: str, language: str) -> bool:
    try:
        return bool(templates.file(kind, part, language))
    except NoTemplate:
        return False
