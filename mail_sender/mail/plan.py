"""The plan of a mail: what is the same in all mails of a kind in the same languages, and what is filled in.

A template that only places its variables (`templating.placing`) is not run for each mail:

1. The templates are rendered once with holes (`templating.hole`) for what differs from mail to mail: the name, the
   links, the times, the message's id, and each sentence that has one of them in it. Styles are moved into the
   elements of that page.
2. The output is cut at the holes. How the characters that HTML writes in another way came out beside a hole says how
   a value must be written there. In a page, a hole may stand in text or in the link of an `a`, and nowhere where
   style rules could depend on it.
3. Lines without a hole are kept as they are encoded; of the others, the pieces.
4. The plan must make the same parts as the templates do, from the mail at hand and from long and odd values.

Which variables are empty is part of what a plan is for, since templates ask for it. If any step fails there is no
plan, and the templates make each mail. They also make a mail with a value that is too long or that is not one line.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from markupsafe import escape

from mail_sender.mail import mime, parts, variables
from mail_sender.mail.config import MailConfig
from mail_sender.mail.mime import Lines
from mail_sender.mail.parts import BrokenTemplate, Parts, Templates
from mail_sender.mail.variables import Variables
from mail_sender.templating import filters, hole
from mail_sender.templating.hole import SPECIAL, Damaged, Hole, Placed
from mail_sender.templating.kinds import KINDS
from mail_sender.templating.template_set import PARTS

LONGEST = 1_000
"""Characters of a value that a plan takes."""

_SPECIAL = re.compile("[{}]".format("".join(SPECIAL)))
_NOT_ONE_LINE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_IN_TEXT = ("&amp;", '"', "'", "&lt;", "&gt;", "&nbsp;")
_IN_ATTRIBUTE = ("&amp;", "&quot;", "'", "<", ">", "&nbsp;")
_LINK = re.compile(r'<a(?: [^<>"]*="[^<>"]*")* href="[^<>"]*\Z')
_STYLE = re.compile(r"(?is)<style.*?</style")

Stretch = Lines | tuple[str | int, ...]
"""Whole lines without a filling, or a line as pieces: text, and numbers of fillings."""

Place = tuple[int, str]
"""A variable of one of the mail's languages: the language's number, the name."""


class NoPlan(Exception):
    """The parts are more than constant pieces and values."""


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a hole's value comes from: one variable, or a sentence of texts and variables."""

    pieces: tuple[str | Place, ...]
    is_sentence: bool

    def value(self, values: list[Variables]) -> Any:
        found = [piece if isinstance(piece, str) else values[piece[0]][piece[1]] for piece in self.pieces]
        return "".join(map(str, found)) if self.is_sentence else found[0]


@dataclass(frozen=True, slots=True)
class _Filling:
    """What is put into one or more places: a source's number, the filters, and how special characters are written."""

    source: int
    filters: tuple[Callable[..., Any], ...]
    written: tuple[str, ...]

    def text(self, value: Any) -> str:
        for apply in self.filters:
            value = apply(value)
        text = str(value)
        if self.written == SPECIAL or not _SPECIAL.search(text):
            return text
        return _SPECIAL.sub(lambda found: self.written[SPECIAL.index(found[0])], text)


@dataclass(frozen=True, slots=True)
class Plan:
    """How the parts of a mail are filled in; `html` is None if mails have none."""

    subject: str
    sources: tuple[_Source, ...]
    fillings: tuple[_Filling, ...]
    text: tuple[Stretch, ...]
    html: tuple[Stretch, ...] | None
    shows_logo: bool

    def filled(self, values: list[Variables]) -> Parts:
        """Return the parts of a mail; `values` are what differs from mail to mail, in each language of the mail."""
        found = [source.value(values) for source in self.sources]
        texts = [filling.text(found[filling.source]) for filling in self.fillings]
        html = None if self.html is None else _filled(self.html, texts)
        return Parts(self.subject, _filled(self.text, texts), html, self.shows_logo)


def filled(kind: str, config: MailConfig, values: Mapping[str, Variables]) -> Parts | None:
    """Return the parts of a mail, filled in by a plan; None if its templates must make it.

    `values` are what differs from mail to mail, in each language of the mail, in order (`variables.varying`).
    """
    if kind not in KINDS or not all(map(_fits, values.values())):
        return None
    empty = tuple(name for name, value in next(iter(values.values())).items() if value == "")
    plan: Plan | None = config.plans.of((kind, *values, empty), lambda: learned(kind, config, values))
    return plan.filled(list(values.values())) if plan else None


def learned(kind: str, config: MailConfig, values: Mapping[str, Variables]) -> Plan | None:
    """Return the plan of a kind, for mails whose variables are empty where these are; None if there is none."""
    try:
        plan = _Learning(kind, config, values).plan()
        for sample in (values, {tag: _odd(found) for tag, found in values.items()}):
            made = parts.rendered(kind, variables.complete(config, sample), config.appearance)
            if made.fault or not _same(made, plan.filled(list(sample.values()))):
                return None
    except (NoPlan, Damaged, BrokenTemplate):
        return None
    return plan


def _fits(values: Variables) -> bool:
    texts = [value for value in values.values() if isinstance(value, str)]
    text = "".join(texts)
    return max(map(len, texts)) <= LONGEST and (text.isprintable() or not _NOT_ONE_LINE.search(text))


def _odd(values: Variables) -> Variables:
    """Return long values of text that looks like markup, of which no two are the same; what is empty stays so."""
    texts = {name: value for name, value in values.items() if isinstance(value, str) and value}
    return {
        **values,
        **{name: (f"<i>{name}&lt;</i> é{''.join(SPECIAL)}. " * 99)[: LONGEST - 1] + "x" for name in texts},
    }


def _same(one: Parts, other: Parts) -> bool:
    return _compared(one) == _compared(other)


def _compared(found: Parts) -> tuple[object, ...]:
    html = found.html and "".join(lines.text for lines in found.html)
    return found.subject, "".join(lines.text for lines in found.text), html, found.shows_logo


def _filled(lines: tuple[Stretch, ...], texts: list[str]) -> list[Lines]:
    return [
        one
        if isinstance(one, Lines)
        else Lines("".join([piece if isinstance(piece, str) else texts[piece] for piece in one]))
        for one in lines
    ]


class _Learning:
    """Renders the templates with holes, and cuts what they make."""

    def __init__(self, kind: str, config: MailConfig, values: Mapping[str, Variables]) -> None:
        self._html = config.appearance.html
        self._mark = f"h{uuid4().hex}"
        self._holes: list[_Source] = []
        self._sources: dict[_Source, int] = {}
        self._fillings: dict[_Filling, int] = {}
        with_holes = {
            tag: {name: value if value == "" else self._hole(((number, name),)) for name, value in found.items()}
            for number, (tag, found) in enumerate(values.items())
        }
        languages = variables.complete(config, with_holes)
        self._templates = Templates(config.appearance.templates, kind, languages, self._in_text, self._in_page)

    def plan(self) -> Plan:
        """Return the plan. Raises `NoPlan`, `BrokenTemplate`."""
        templates = self._templates
        if not all(templates.files.only_places(templates.file(part)) for part in PARTS):
            raise NoPlan
        subject = templates.subject()
        text = tuple(_lines(self._cut(templates.text(subject), _require_text)))
        if not self._html:
            return Plan(subject, tuple(self._sources), tuple(self._fillings), text, None, shows_logo=False)
        page = templates.page(subject)
        self._require_unstyled(templates.page(subject, styled=False), page)
        html = tuple(_lines(self._cut(page, _require_page)))
        return Plan(subject, tuple(self._sources), tuple(self._fillings), text, html, mime.LOGO in page)

    def _require_unstyled(self, plain: str, page: str) -> None:
        """Refuse a page in whose style rules a value stands, or whose rules may depend on one."""
        rules = "".join(_STYLE.findall(plain))
        if plain.count(self._mark) != page.count(self._mark) or self._mark in rules or "[" in rules:
            raise NoPlan

    def _hole(self, pieces: tuple[str | Place, ...], *, is_sentence: bool = False) -> Hole:
        self._holes.append(_Source(pieces, is_sentence))
        return Hole(self._mark, len(self._holes) - 1)

    def _in_text(self, sentence: str) -> object:
        if self._mark not in sentence:
            return sentence
        found = hole.split(sentence, self._mark)
        pieces = [piece if isinstance(piece, str) else self._holes[piece.number].pieces[0] for piece in found]
        return self._hole(tuple(pieces), is_sentence=True)

    def _in_page(self, sentence: str) -> object:
        found = self._in_text(sentence)
        return escape(found) if isinstance(found, str) else found

    def _cut(self, output: str, require: Callable[[Placed, _Source, str], None]) -> Iterator[str | int]:
        """Yield the pieces of an output: text, and the numbers of fillings."""
        before = ""
        for piece in hole.split(output, self._mark):
            if isinstance(piece, str):
                before += piece
                yield piece
            else:
                source = self._holes[piece.number]
                require(piece, source, before)
                before += "x"
                number = self._sources.setdefault(source, len(self._sources))
                filling = _Filling(number, tuple(filters.OF_VALUES[name] for name in piece.filters), piece.written)
                yield self._fillings.setdefault(filling, len(self._fillings))


def _require_text(placed: Placed, _source: _Source, _before: str) -> None:
    if placed.written != SPECIAL:
        raise NoPlan


def _require_page(placed: Placed, source: _Source, before: str) -> None:
    """Refuse a place in a page that is neither text nor a link, and a filter that would see a sentence's escapes."""
    if placed.filters and source.is_sentence:
        raise NoPlan
    is_link = placed.written == _IN_ATTRIBUTE and _LINK.match(before, max(before.rfind("<a "), 0))
    if placed.written != _IN_TEXT and not is_link:
        raise NoPlan


def _lines(pieces: Iterator[str | int]) -> Iterator[Stretch]:
    """Yield whole lines without a filling, and the pieces of each line that has one."""
    line: list[str | int] = []
    for piece in pieces:
        if isinstance(piece, int):
            line.append(piece)
            continue
        rest = piece
        if line:
            head, end, rest = piece.partition("\n")
            line.append(head + end)
            if not end:
                continue
            yield tuple(line)
        whole, end, last = rest.rpartition("\n")
        if end:
            yield Lines(whole + end)
        line = [last] if last else []
    if line:
        yield tuple(line) if line[1:] else Lines("".join(map(str, line)))
