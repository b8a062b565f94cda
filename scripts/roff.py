"""Pages for man(1): text in, roff out (groff_man(7)), in the few macros that every formatter knows."""

import re
from collections.abc import Iterable

_CODE = re.compile(r"`([^`]+)`")


def escaped(text: str) -> str:
    """Return a text in which roff sees nothing of its own; what is in backticks becomes bold."""
    plain = text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace("…", "...")
    shown = _CODE.sub(r"\\fB\1\\fR", plain)
    return f"\\&{shown}" if shown.startswith(".") else shown


def title(name: str, section: int, date: str, source: str, manual: str) -> str:
    """Return the head of a page."""
    quoted = " ".join(f'"{escaped(text)}"' for text in (source, manual))
    return f'.TH {escaped(name.upper())} {section} "{date}" {quoted}\n'


def heading(text: str) -> str:
    """Return the heading of a section."""
    return f".SH {escaped(text.upper())}\n"


def subheading(text: str) -> str:
    """Return the heading of a part of a section."""
    return f".SS {escaped(text)}\n"


def paragraph(text: str) -> str:
    """Return a paragraph."""
    return f".PP\n{_flowing(text)}"


def paragraphs(text: str) -> str:
    """Return the paragraphs of a text that begins after a heading; empty lines part them."""
    first, *others = filter(None, map(str.strip, re.split(r"\n\s*\n", text)))
    return _flowing(first) + "".join(map(paragraph, others))


def _flowing(text: str) -> str:
    return f"{escaped(' '.join(text.split()))}\n"


def entry(term: str, *texts: str) -> str:
    """Return a term, in bold, and what is said of it; each further text begins a line."""
    return f".TP\n\\fB{escaped(term)}\\fR\n" + "\n.br\n".join(map(escaped, filter(None, texts))) + "\n"


def example(lines: Iterable[str]) -> str:
    """Return lines that stay as they are; they begin after a heading."""
    return ".nf\n.RS 4\n" + "".join(f"{escaped(line)}\n" for line in lines) + ".RE\n.fi\n"
