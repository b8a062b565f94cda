"""`docs/kanidm-wire.md` has the sections that code and tests cite, and the captures that it names exist."""

import re

from tests.conformance import captures
from tests.repo import checkout

PAGE = "docs/kanidm-wire.md"
TEXT = (checkout.ROOT / PAGE).read_text()
HEADINGS = tuple(re.findall(r"(?m)^## (.+)$", TEXT))
CITATION = re.compile(rf"{re.escape(PAGE)}, (.{{0,60}})")


def _joined(text: str) -> str:
    """Return the text on one line, without the marks of comments."""
    return re.sub(r"\s*\n\s*(?:# )?", " ", text)


def _cited(text: str) -> list[str]:
    """Return what stands behind the page's name and a comma, wherever a text has both."""
    return CITATION.findall(_joined(text))


def _named() -> set[str]:
    """Return the captures that the page names."""
    return {
        name
        for names in re.findall(r"\(captures? ([^)]*)\)", _joined(TEXT))
        for name in re.findall(r"`([^`]+)`", names)
    }


def test_every_citation_names_a_section_that_exists() -> None:
    """Who follows a citation finds the heading on the page."""
    here = checkout.ROOT / "tests/repo/test_wire_document.py"
    cited = {
        f"{file}: {words}"
        for file in checkout.modules()
        if checkout.ROOT / file != here
        for words in _cited((checkout.ROOT / file).read_text())
        if not words.startswith(HEADINGS)
    }
    assert cited == set()


def test_no_heading_begins_like_another() -> None:
    """A citation means one section."""
    assert [(one, two) for one in HEADINGS for two in HEADINGS if one != two and two.startswith(one)] == []


def test_the_page_names_every_capture_and_no_other() -> None:
    """A fact can be looked up among the recorded exchanges, and no exchange is without a fact."""
    assert _named() == {capture.name for capture in captures.load()}


def test_a_wrong_citation_is_seen() -> None:
    """Also where the line breaks within it, and in a comment."""
    assert _cited(f"({PAGE}, Marking as sent)")[0].startswith(HEADINGS)
    assert _cited(f"# as in {PAGE},\n    # Marking\n    # as sent.")[0].startswith(HEADINGS)
    assert not _cited(f'"""See {PAGE}, Section 5."""')[0].startswith(HEADINGS)
