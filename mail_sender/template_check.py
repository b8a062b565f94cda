"""The check of an operator's templates, before a mail is made of them: with the file and the line of each fault.

1. Each file is read as a template; each variable, sentence (`say.x`) and file that it names must be there.
2. Each sentence of a catalogue may name only variables that its kind has.
3. One specimen of each kind is made in each language that mails are written in: what only shows when a template
   runs shows here.

Only what the operator has written is looked at. A kind that this version does not know is not tried in the third
step: nobody knows its fields.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
from jinja2 import nodes
from jinja2.defaults import DEFAULT_NAMESPACE

from mail_sender import kinds
from mail_sender.kinds import KINDS, Kind
from mail_sender.template_set import PARTS, NoTemplate, TemplateSet, is_catalogue
from mail_sender.wording import COMMON, places


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong in a file: its name in the folder, the line where it is known, what was found and expected."""

    name: str
    line: int | None
    found: str
    expected: str


_OF_JINJA = frozenset({"loop", "self", "super", "caller", "varargs", "kwargs"})
_LIST = "`mail-sender template list` names them"


def faults(templates: TemplateSet) -> Iterator[Finding]:
    """Yield everything because of which an operator's file cannot be used."""
    for name, text in templates.theirs.items():
        if name.endswith(".j2"):
            yield from _template_faults(templates, name, text)
        elif is_catalogue(name):
            yield from _wording_faults(templates, name)
    for kind in templates.kinds:
        for part in PARTS:
            yield from _missing(templates, kind, part)


def warnings(templates: TemplateSet) -> Iterator[str]:
    """Yield what works, but is hardly meant: files that nobody asks for, parts that will not agree."""
    for source in templates.sources():
        if source.serves is None:
            yield f"{source.name}: nothing asks for this file{'; ' if source.hint else ''}{source.hint}"
    for kind in KINDS:
        text, html = (_has(templates, kind, part) for part in ("body.txt", "body.html"))
        if text != html:
            mine, other = ("body.txt", "body.html") if text else ("body.html", "body.txt")
            yield f"{kind}: {mine}.j2 is yours and {other}.j2 is ours: the two parts of a mail should say the same"


def _template_faults(templates: TemplateSet, name: str, text: str) -> Iterator[Finding]:
    try:
        tree = templates.environment.parse(text, name)
        folder = name.rpartition("/")[0]
        kind = Kind(folder) if folder else None
        yield from _unknown_variables(tree, name, kind)
        yield from _unknown_sentences(templates, tree, name, kind)
        yield from _unknown_files(templates, tree, name)
        templates.get(name)  # unknown filters and tests show only here
    except jinja2.TemplateSyntaxError as error:
        yield Finding(
            error.name or name, error.lineno, (error.message or "").rstrip("."), "expected a Jinja template"
        )


def _unknown_variables(tree: nodes.Template, name: str, kind: Kind | None) -> Iterator[Finding]:
    known = kind.variables if kind else frozenset(kinds.COMMON).union(*KINDS.values(), kinds.FIELDS)
    own = f"{kind.name} has {', '.join(sorted(kind.own))} of its own" if kind else _LIST
    lines: dict[str, int] = {}
    for found in tree.find_all(nodes.Name):
        if found.ctx == "load":
            lines.setdefault(found.name, found.lineno)
    for variable in sorted(lines.keys() - known - _made_here(tree) - DEFAULT_NAMESPACE.keys() - _OF_JINJA):
        yield Finding(name, lines[variable], f'unknown variable "{variable}"', own)


def _made_here(tree: nodes.Template) -> set[str]:
    """Return the names that a template sets, loops over, takes or imports itself."""
    made = {found.name for found in tree.find_all(nodes.Name) if found.ctx != "load"}
    made |= {macro.name for macro in tree.find_all(nodes.Macro)}
    made |= {other.target for other in tree.find_all(nodes.Import)}
    for other in tree.find_all(nodes.FromImport):
        made |= {one if isinstance(one, str) else one[1] for one in other.names}
    return made


def _unknown_sentences(
    templates: TemplateSet, tree: nodes.Template, name: str, kind: Kind | None
) -> Iterator[Finding]:
    for_all = [wording.names(kind.name if kind else COMMON) for wording in templates.wordings.values()]
    known = frozenset.union(*for_all) | {"language"}
    for found in tree.find_all(nodes.Getattr):
        if isinstance(found.node, nodes.Name) and found.node.name == "say" and found.attr not in known:
            expected = f"add it to a file in wording/, or use one of {', '.join(sorted(known - {'language'}))}"
            yield Finding(name, found.lineno, f'no language has a sentence "{found.attr}"', expected)


def _unknown_files(templates: TemplateSet, tree: nodes.Template, name: str) -> Iterator[Finding]:
    for found in tree.find_all((nodes.Extends, nodes.Include, nodes.Import, nodes.FromImport)):
        other = found.template  # type: ignore[attr-defined]  # each of the four has it; what they share has not
        if isinstance(other, nodes.Const) and other.value not in {*templates.theirs, *templates.ours}:
            where = "names count from the folder's top"
            yield Finding(name, found.lineno, f'there is no file "{other.value}"', where)


def _wording_faults(templates: TemplateSet, name: str) -> Iterator[Finding]:
    words = templates.wordings[name.removeprefix("wording/").removesuffix(".toml")]
    for table, sentences in words.tables.items():
        if table != COMMON and table not in templates.kinds:
            yield Finding(name, None, f"[{table}] is no kind of mail", f"expected {', '.join(templates.kinds)}")
            continue
        known = Kind(table).variables if table != COMMON else frozenset(kinds.COMMON).union(*KINDS.values())
        for sentence, text in sentences.items():
            for place in sorted(places(text) - known - {"support"}):
                expected = f"[{table}] may name {', '.join(sorted(known & _texts(table)))}"
                line = _line(templates.theirs[name], sentence, place)
                yield Finding(name, line, f'{sentence} names "{{{place}}}", which there is not', expected)


def _line(text: str, sentence: str, place: str) -> int | None:
    lines = enumerate(text.splitlines(), start=1)
    return next((number for number, line in lines if line.startswith(sentence) and f"{{{place}}}" in line), None)


def _texts(table: str) -> frozenset[str]:
    return frozenset({"instance_display_name", "instance_url", "instance_host", "message_id", *KINDS.get(table, {})})


def _missing(templates: TemplateSet, kind: str, part: str) -> Iterator[Finding]:
    try:
        templates.file(kind, part, "en")
    except NoTemplate:
        near = difflib.get_close_matches(kind, KINDS, 1, 0.8)
        meant = f"; did you mean {near[0]}?" if near else ""
        yield Finding(f"{kind}/{part}.j2", None, "is missing", f"a kind needs {', '.join(PARTS)}{meant}")


def _has(templates: TemplateSet, kind: str, part: str) -> bool:
    name, _, extension = part.partition(".")
    return any(file.startswith(f"{kind}/{name}.") and file.endswith(f".{extension}.j2") for file in templates.theirs)
